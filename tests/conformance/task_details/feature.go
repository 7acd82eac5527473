// Package task_details shows a task that has more to say than its output; and one that may see the expected output.
package task_details

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func pointer[T any](value T) *T { return &value }

func task(context.Context, evalrpc.TaskItem) (any, error) {
	return evalrpc.TaskOutput{
		Output: "Paris",
		Contexts: []evalrpc.Context{
			{Text: "Paris is a city.", ID: "doc-1", Score: pointer(0.5)}, {Text: "France is a country."},
		},
		Usage: &evalrpc.Usage{
			InputTokens: pointer(10), OutputTokens: pointer(3), CostUSD: pointer(0.25), Model: "m",
		},
		Metadata: map[string]any{"seed": 7},
	}, nil
}

func seen(_ context.Context, input evalrpc.EvaluatorInput) (evalrpc.Evaluation, error) {
	found := fmt.Sprintf(`{"seen": [%d, %q, %d]}`, len(input.Contexts), input.Contexts[0].Text, *input.Usage.InputTokens)
	return evalrpc.Evaluation{Value: evalrpc.Boolean(true), Metadata: evalrpc.JSON(found)}, nil
}

func shown(_ context.Context, item evalrpc.TaskItem) (any, error) {
	if item.ExpectedOutput.Absent() {
		return nil, nil
	}
	return item.ExpectedOutput, nil
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	s.Worker(ctx, client, evalrpc.Function{Name: s.Unique("shown"), Task: evalrpc.TaskFunc(shown)})
	data := evalrpc.Items{{Input: "France", ExpectedOutput: "Paris"}}
	result := stage.Run(ctx, client, evalrpc.RunOptions{
		Name:       s.Unique("run"),
		Data:       data,
		Task:       evalrpc.TaskFunc(task),
		Evaluators: []evalrpc.Evaluator{evalrpc.EvaluatorFunc("seen", seen)},
	})
	outputs := []json.RawMessage{}
	for _, include := range []bool{false, true} {
		task := evalrpc.WorkerTask{Function: s.Unique("shown"), IncludeExpectedOutput: include}
		options := evalrpc.RunOptions{Name: s.Unique("shown"), Data: data, Task: task}
		outputs = append(outputs, json.RawMessage(stage.Run(ctx, client, options).ItemResults[0].Output))
	}
	found := result.ItemResults[0]
	contexts := [][]any{}
	for _, each := range found.Contexts {
		var id any
		if each.ID != "" {
			id = each.ID
		}
		contexts = append(contexts, []any{each.Text, id, each.Score})
	}
	usage := found.Usage
	return stage.Object{
		"output":                json.RawMessage(found.Output),
		"contexts":              contexts,
		"usage":                 []any{usage.InputTokens, usage.OutputTokens, usage.CostUSD, usage.Model},
		"metadata":              json.RawMessage(found.OutputMetadata),
		"seen_by_evaluator":     json.RawMessage(stage.Field(found.Evaluations[0].Metadata, "seen")),
		"expected_output_shown": outputs,
	}
}
