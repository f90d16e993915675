// Package httpapi answers the documented jobs API from a store: it lists, gets,
// creates, changes and deletes jobs, so that clients of the service work against
// it with nothing changed but the base URL.
//
//	GET    /jobs           a page of jobs, by kind, status, input and cursors
//	POST   /jobs           creates a job
//	GET    /jobs/{id}      one job with its tasks
//	PATCH  /jobs/{id}      what a worker reports of a job
//	DELETE /jobs/{id}      removes a job
//	GET    /openapi.json   the description of all this
//	GET    /               what this is
//
// [NewOperator] is what those who run a store need beside it. [Serve] is a server for
// both, and [Error] and [RequireToken] are for what stands around them.
//
// docs/HTTP.md has the parameters, headers, errors and limits. The handler can be
// mounted under a prefix with http.StripPrefix, beside whatever else a mux holds.
package httpapi
