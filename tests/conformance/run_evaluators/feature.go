// Package run_evaluators shows functions that see all results of a run, more than fit into a message; one of them fails.
package run_evaluators

import (
	"context"
	"errors"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func number(_ context.Context, input int) (int, error) {
	if input == 7 {
		return 0, errors.New("not this one")
	}
	return input, nil
}

func counts(_ context.Context, input evalrpc.RunEvaluatorInput) ([]evalrpc.Evaluation, error) {
	count, failed := 0, 0
	for result, err := range input.Results() {
		if err != nil {
			return nil, err
		}
		if count++; result.Failure != nil {
			failed++
		}
	}
	return []evalrpc.Evaluation{
		{Name: "count", Value: evalrpc.Number(count)}, {Name: "failed", Value: evalrpc.Number(failed)},
	}, nil
}

func broken(context.Context, evalrpc.RunEvaluatorInput) (float64, error) {
	return 0, errors.New("cannot judge")
}

func sumOfAll(_ context.Context, input evalrpc.RunEvaluatorInput) (int, error) {
	sum := 0
	for result, err := range input.Results() {
		if err != nil {
			return 0, err
		}
		var output int
		if !result.Output.Absent() {
			if err := result.Output.Decode(&output); err != nil {
				return 0, err
			}
		}
		sum += output
	}
	return sum, nil
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	items := evalrpc.Items{}
	for input := range 450 {
		items = append(items, evalrpc.Item{Input: input})
	}
	result := stage.Run(ctx, s.Client(), evalrpc.RunOptions{
		Name: s.Unique("run"),
		Data: items,
		Task: evalrpc.TypedTask(number),
		RunEvaluators: []evalrpc.Evaluator{
			evalrpc.RunEvaluatorFunc("counts", counts),
			evalrpc.RunEvaluatorFunc("broken", broken),
			evalrpc.RunEvaluatorFunc("sum", sumOfAll),
		},
	})
	return stage.Evaluations(result.RunEvaluations())
}
