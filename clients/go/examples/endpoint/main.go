// Command endpoint runs an experiment over an application behind HTTP, which the server calls.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/evalrpc/evalrpc/clients/go"
)

func main() {
	// Stands in for an application that listens somewhere else.
	application := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		var body struct{ Input string }
		if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		writer.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(writer).Encode(map[string]string{"output": strings.ToUpper(body.Input)})
	}))
	defer application.Close()

	client, err := evalrpc.NewClient("", evalrpc.WithTimeout(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	run, err := client.Run(ctx, evalrpc.RunOptions{
		Name:        "Endpoint",
		Data:        evalrpc.Items{{Input: "paris", ExpectedOutput: "PARIS"}},
		Task:        evalrpc.HTTPTask{URL: application.URL, Headers: map[string]string{"X-Model": "small"}},
		Evaluators:  []evalrpc.Evaluator{evalrpc.Builtin("exact_match", nil)},
		TaskTimeout: 5 * time.Second,
		Retry:       evalrpc.RetryPolicy{MaxAttempts: 5, MaxBackoff: 2 * time.Second},
		Repetitions: 3,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	result, err := run.Result(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(result.ItemResults), "trials, the first gave", result.ItemResults[0].Output)
}
