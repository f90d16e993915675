package httpapi

import (
	_ "embed"
	"net/http"
)

// description is the OpenAPI description of the API.
//
//go:embed openapi.json
var description []byte

// describe answers GET /openapi.json.
func (a *api) describe(x *exchange) error {
	x.reply(http.StatusOK, &buffer{b: description})
	return nil
}
