// Package composite_evaluator shows a function that sees an item's evaluations and adds its own.
package composite_evaluator

import (
	"context"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func same(_ context.Context, input string) (string, error) { return input, nil }

func half(_ context.Context, input evalrpc.EvaluatorInput) (float64, error) {
	return float64(len(input.Output.String())) / 2, nil
}

func overall(_ context.Context, input evalrpc.EvaluatorInput) (float64, error) {
	sum := 0.0
	for _, each := range input.Evaluations {
		number, _ := each.Number()
		sum += number
	}
	return sum, nil
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	result := stage.Run(ctx, s.Client(), evalrpc.RunOptions{
		Name: s.Unique("run"),
		Data: evalrpc.Items{{Input: "abc"}, {Input: "abcde"}},
		Task: evalrpc.TypedTask(same),
		Evaluators: []evalrpc.Evaluator{
			evalrpc.Builtin("length", nil).Named("length"),
			evalrpc.EvaluatorFunc("half", half),
		},
		CompositeEvaluator: evalrpc.EvaluatorFunc("overall", overall),
	})
	found := [][]stage.Object{}
	for _, each := range result.ItemResults {
		found = append(found, stage.Evaluations(each.Evaluations))
	}
	return found
}
