// Package worker_success shows a worker that hosts a task, an evaluator and a run evaluator; specs refer to them by name.
package worker_success

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func double(_ context.Context, input int) (int, error) { return input * 2, nil }

func even(_ context.Context, input evalrpc.EvaluatorInput) (bool, error) {
	var output int
	err := input.Output.Decode(&output)
	return output%2 == 0, err
}

func sumOfAll(_ context.Context, input evalrpc.RunEvaluatorInput) (int, error) {
	sum := 0
	for result, err := range input.Results() {
		if err != nil {
			return 0, err
		}
		var output int
		if err := result.Output.Decode(&output); err != nil {
			return 0, err
		}
		sum += output
	}
	return sum, nil
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	worker := s.Worker(ctx, client,
		evalrpc.Function{Name: s.Unique("double"), Task: evalrpc.TypedTask(double)},
		evalrpc.Function{Name: s.Unique("even"), Evaluator: evalrpc.EvaluatorFunc("even", even)},
		evalrpc.Function{Name: s.Unique("sum"), Evaluator: evalrpc.RunEvaluatorFunc("sum", sumOfAll)},
	)
	result := stage.Run(ctx, client, evalrpc.RunOptions{
		Name:          s.Unique("run"),
		Data:          evalrpc.Items{{Input: 1}, {Input: 2}, {Input: 3}},
		Task:          evalrpc.WorkerTask{Function: s.Unique("double")},
		Evaluators:    []evalrpc.Evaluator{evalrpc.WorkerEvaluator("even", s.Unique("even"))},
		RunEvaluators: []evalrpc.Evaluator{evalrpc.WorkerEvaluator("sum", s.Unique("sum"))},
	})
	listed := stage.All(client.ListWorkers(ctx, s.Unique("double")))[0]
	names := []string{}
	for _, name := range listed.Functions {
		names = append(names, name[strings.LastIndex(name, "-")+1:])
	}
	slices.Sort(names)
	outputs, evaluations := []json.RawMessage{}, [][]stage.Object{}
	for _, each := range result.ItemResults {
		outputs = append(outputs, json.RawMessage(each.Output))
		evaluations = append(evaluations, stage.Evaluations(each.Evaluations))
	}
	return stage.Object{
		"outputs":         outputs,
		"evaluations":     evaluations,
		"run_evaluations": stage.Evaluations(result.RunEvaluations()),
		"listed":          []any{listed.State, listed.MaxInFlight, names},
		"completed":       worker.Stats().Completed,
	}
}
