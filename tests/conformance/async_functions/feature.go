// Package async_functions shows functions in goroutines: four calls meet before any of them answers.
package async_functions

import (
	"context"
	"encoding/json"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func right(_ context.Context, input evalrpc.EvaluatorInput) (bool, error) {
	var given, output int
	if err := input.Input.Decode(&given); err != nil {
		return false, err
	}
	err := input.Output.Decode(&output)
	return output == given*given, err
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	meeting := stage.NewGate()
	go func() {
		meeting.WaitFor(4)
		meeting.Open()
	}()
	square := func(ctx context.Context, input int) (int, error) { return input * input, meeting.Pass(ctx) }
	result := stage.Run(ctx, s.Client(), evalrpc.RunOptions{
		Name:           s.Unique("run"),
		Data:           evalrpc.Items{{Input: 0}, {Input: 1}, {Input: 2}, {Input: 3}},
		Task:           evalrpc.TypedTask(square),
		Evaluators:     []evalrpc.Evaluator{evalrpc.EvaluatorFunc("right", right)},
		MaxConcurrency: 4,
	})
	outputs, evaluations := []json.RawMessage{}, []any{}
	for _, each := range result.ItemResults {
		outputs = append(outputs, json.RawMessage(each.Output))
		evaluations = append(evaluations, each.Evaluations[0].Value)
	}
	return stage.Object{"outputs": outputs, "evaluations": evaluations}
}
