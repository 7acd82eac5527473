// Package large_documents shows documents of exactly the limit, which travel both ways; one byte more is the item's error,
// or refused.
package large_documents

import (
	"context"
	"strings"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

const limit = 1024 * 1024

var largest = strings.Repeat("x", limit-2)

func task(_ context.Context, input string) (string, error) {
	if input == "more" {
		return largest + "x", nil
	}
	return input, nil
}

func size(_ context.Context, input evalrpc.EvaluatorInput) (int, error) {
	return len(input.Output.String()), nil
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	result := stage.Run(ctx, client, evalrpc.RunOptions{
		Name:       s.Unique("run"),
		Data:       evalrpc.Items{{Input: largest}, {Input: "more"}},
		Task:       evalrpc.TypedTask(task),
		Evaluators: []evalrpc.Evaluator{evalrpc.EvaluatorFunc("size", size)},
	})
	_, err := client.Run(ctx, evalrpc.RunOptions{
		Name: s.Unique("more"), Data: evalrpc.Items{{Input: largest + "x"}}, Task: evalrpc.TypedTask(task),
	})
	refused := stage.ErrorOf(err)
	found := result.ItemResults[0]
	return stage.Object{
		"bytes":   []int{len(found.Item.Input), len(found.Output)},
		"judged":  found.Evaluations[0].Value,
		"above":   result.ItemResults[1].Failure.Reason,
		"refused": stage.Object{"kind": refused["kind"], "violations": refused["violations"]},
	}
}
