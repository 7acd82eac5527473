// Command worker hosts functions for any experiment on the server, until SIGTERM or Ctrl-C; then it finishes what it has.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/evalrpc/evalrpc/clients/go"
)

func answer(_ context.Context, question string) (string, error) {
	return strings.ToUpper(question), nil
}

func loud(_ context.Context, input evalrpc.EvaluatorInput) (bool, error) {
	return input.Output.String() == strings.ToUpper(input.Output.String()), nil
}

func main() {
	client, err := evalrpc.NewClient("")
	if err != nil {
		log.Fatal(err)
	}
	worker, err := evalrpc.NewWorker(client, evalrpc.WorkerOptions{
		Functions: []evalrpc.Function{
			{Name: "answer", Description: "Answers loudly", Task: evalrpc.TypedTask(answer)},
			{Evaluator: evalrpc.EvaluatorFunc("loud", loud)},
		},
		MaxInFlight: 16,
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Println("serving as", worker.ID())
	if err := worker.Serve(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d calls completed\n", worker.Stats().Completed)
}
