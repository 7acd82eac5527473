// Package local_data runs a local function over local data, judged by builtins.
package local_data

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func answer(_ context.Context, item evalrpc.TaskItem) (any, error) {
	if item.Input.String() == "France" {
		return "Paris", nil
	}
	var input struct{ Country string }
	if err := item.Input.Decode(&input); err == nil && input.Country == "Germany" {
		return "Bonn", nil
	}
	return nil, errors.New("there is no such country")
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	result := stage.Run(ctx, s.Client(), evalrpc.RunOptions{
		Name:     s.Unique("capitals"),
		RunName:  "the first",
		Metadata: map[string]any{"model": "m", "temperature": 0.5},
		Data: evalrpc.Items{
			{ID: "fr", Input: "France", ExpectedOutput: "Paris", Metadata: map[string]any{"continent": "Europe"}},
			{ID: "de", Input: map[string]any{"country": "Germany"}, ExpectedOutput: "Berlin"},
			{ID: "xx", Input: "Atlantis"},
		},
		Task:       evalrpc.TaskFunc(answer),
		Evaluators: []evalrpc.Evaluator{evalrpc.Builtin("exact_match", nil).Named("accuracy")},
		RunEvaluators: []evalrpc.Evaluator{
			evalrpc.Builtin("mean", evalrpc.Params{"evaluation": "accuracy"}).Named("avg_accuracy"),
		},
	})
	inputs, expected := []json.RawMessage{}, []any{}
	for _, each := range result.ItemResults {
		inputs = append(inputs, json.RawMessage(each.Item.Input))
		if each.Item.ExpectedOutput.Absent() {
			expected = append(expected, nil)
		} else {
			expected = append(expected, json.RawMessage(each.Item.ExpectedOutput))
		}
	}
	progress := result.Experiment.Progress
	return stage.Object{
		"state":            result.State(),
		"run_name":         result.RunName(),
		"metadata":         result.Experiment.Metadata,
		"progress":         []int{*progress.Total, progress.Completed, progress.Failed},
		"inputs":           inputs,
		"expected_outputs": expected,
		"items":            stage.Items(result.ItemResults),
		"run_evaluations":  stage.Evaluations(result.RunEvaluations()),
		"mean":             result.Experiment.Summaries[0].Mean,
	}
}
