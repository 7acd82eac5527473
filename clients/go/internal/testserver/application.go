package testserver

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// Boom is the input that the application fails for.
const Boom = "boom"

// Application is an application under test: a task and an evaluator over HTTP.
type Application struct {
	server *httptest.Server
	gate   chan struct{}
	open   sync.Once
}

// NewApplication starts an application.
func NewApplication() *Application {
	application := &Application{gate: make(chan struct{})}
	handler := http.NewServeMux()
	handler.HandleFunc("POST /task", application.answer)
	handler.HandleFunc("POST /gated", application.answerGated)
	handler.HandleFunc("POST /evaluate", evaluate)
	application.server = httptest.NewServer(handler)
	return application
}

// Task answers with the input as the output; for the input "boom" it fails.
func (a *Application) Task() string { return a.server.URL + "/task" }

// Gated does the same once the gate is open; an input that starts with "now" need not wait.
func (a *Application) Gated() string { return a.server.URL + "/gated" }

// Evaluate tells whether the output is the expected one.
func (a *Application) Evaluate() string { return a.server.URL + "/evaluate" }

// Open opens the gate.
func (a *Application) Open() { a.open.Do(func() { close(a.gate) }) }

// Close ends the application.
func (a *Application) Close() {
	a.Open()
	a.server.Close()
}

type taskRequest struct {
	Input json.RawMessage `json:"input"`
}

func (a *Application) answerGated(writer http.ResponseWriter, request *http.Request) {
	var body taskRequest
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	if !strings.HasPrefix(string(body.Input), `"now`) {
		select {
		case <-a.gate:
		case <-request.Context().Done():
		}
	}
	reply(writer, body.Input)
}

func (a *Application) answer(writer http.ResponseWriter, request *http.Request) {
	var body taskRequest
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	reply(writer, body.Input)
}

func reply(writer http.ResponseWriter, output json.RawMessage) {
	if string(output) == `"`+Boom+`"` {
		http.Error(writer, "no such thing", http.StatusNotFound)
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	_, _ = writer.Write([]byte(`{"output":` + string(output) + `}`)) // an error is the server's, which was killed
}

func evaluate(writer http.ResponseWriter, request *http.Request) {
	var body struct {
		Output   any `json:"output"`
		Expected any `json:"expected_output"`
	}
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	output, _ := json.Marshal(body.Output) // what was parsed can be written
	expected, _ := json.Marshal(body.Expected)
	writer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(writer).Encode(map[string]bool{"value": string(output) == string(expected)})
}
