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
func (a *api) describe(w *response) error {
	if _, err := w.parameters(); err != nil {
		return err
	}
	w.reply(http.StatusOK, &buffer{b: description})
	return nil
}

// introduce answers GET /: it says what is here, and where.
func (a *api) introduce(w *response) error {
	if _, err := w.parameters(); err != nil {
		return err
	}
	return w.replyJSON(struct {
		Object      string `json:"object"`
		Description string `json:"description"`
		Jobs        string `json:"jobs"`
		OpenAPI     string `json:"openapi"`
	}{
		"api", "This is the jobs API of a jobstore. It lists, gets, creates, changes and deletes media jobs.",
		a.urlOf(w.request, "/jobs"), a.urlOf(w.request, "/openapi.json"),
	})
}
