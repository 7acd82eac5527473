// Package accuracy shows experiments as tests: go test.
package accuracy

import (
	"context"
	"testing"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/clients/go/evalrpctest"
)

// quiz asks for two capitals.
func quiz(t *testing.T, answers map[string]string) *evalrpc.ExperimentResult {
	t.Helper()
	client, err := evalrpc.NewClient("") // EVALRPC_ADDRESS, or localhost:50051
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	return evalrpctest.Run(t, client, evalrpc.RunOptions{
		Name: "Capitals",
		Data: evalrpc.Items{
			{ID: "fr", Input: "France", ExpectedOutput: "Paris"},
			{ID: "de", Input: "Germany", ExpectedOutput: "Berlin"},
		},
		Task: evalrpc.TypedTask(func(_ context.Context, country string) (string, error) {
			return answers[country], nil
		}),
		Evaluators: []evalrpc.Evaluator{evalrpc.Builtin("exact_match", nil).Named("accuracy")},
		RunEvaluators: []evalrpc.Evaluator{
			evalrpc.Builtin("mean", evalrpc.Params{"evaluation": "accuracy"}).Named("avg_accuracy"),
		},
	})
}

func TestAccuracyPassesAbove(t *testing.T) {
	result := quiz(t, map[string]string{"France": "Paris", "Germany": "Berlin"})
	evalrpctest.AssertAtLeast(t, result, "avg_accuracy", 0.8)
	evalrpctest.AssertNoFailures(t, result)
}
