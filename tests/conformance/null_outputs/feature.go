// Package null_outputs shows that a null output is an output, an expected null is something to expect, and neither is
// nothing.
package null_outputs

import (
	"context"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func nothing(context.Context, evalrpc.TaskItem) (any, error) { return nil, nil }

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	result := stage.Run(ctx, s.Client(), evalrpc.RunOptions{
		Name:       s.Unique("run"),
		Data:       evalrpc.Items{{Input: nil, ExpectedOutput: evalrpc.JSON("null")}, {Input: 1}},
		Task:       evalrpc.TaskFunc(nothing),
		Evaluators: []evalrpc.Evaluator{evalrpc.Builtin("exact_match", nil).Named("right")},
	})
	outputs, failures, inputs, expected, evaluations := []string{}, []any{}, []string{}, []any{}, [][]stage.Object{}
	for _, each := range result.ItemResults {
		outputs = append(outputs, string(each.Output))
		inputs = append(inputs, string(each.Item.Input))
		evaluations = append(evaluations, stage.Evaluations(each.Evaluations))
		if each.Failure == nil {
			failures = append(failures, nil)
		} else {
			failures = append(failures, each.Failure.Reason)
		}
		if each.Item.ExpectedOutput.Absent() {
			expected = append(expected, nil)
		} else {
			expected = append(expected, string(each.Item.ExpectedOutput))
		}
	}
	return stage.Object{
		"outputs": outputs, "errors": failures, "inputs": inputs,
		"expected_outputs": expected, "evaluations": evaluations,
	}
}
