// Package second_looks shows an ended run that is looked at again: its outputs are judged by other evaluators, and what
// failed is repeated.
package second_looks

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func results(result *evalrpc.ExperimentResult) [][]any {
	found := [][]any{}
	for _, each := range result.ItemResults {
		var output, reason any
		if each.Failure != nil {
			reason = each.Failure.Reason
		} else {
			output = each.Output.String()
		}
		found = append(found, []any{each.Item.ID, output, reason})
	}
	return found
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	var calls, failures atomic.Int32
	task := func(_ context.Context, input string) (string, error) {
		calls.Add(1)
		if input == "a" && failures.Add(1) == 1 {
			return "", errors.New("not this time")
		}
		return strings.ToUpper(input), nil
	}
	client := s.Client()
	s.Worker(ctx, client, evalrpc.Function{Name: s.Unique("task"), Task: evalrpc.TypedTask(task)})
	ended := func(started *evalrpc.Experiment) *evalrpc.ExperimentResult {
		watch := client.Watch(ctx, started.ID, evalrpc.WatchOptions{})
		defer watch.Close()
		return stage.Must(watch.Result(ctx))
	}
	first := stage.Run(ctx, client, evalrpc.RunOptions{
		Name: s.Unique("run"),
		Data: evalrpc.Items{{ID: "a", Input: "a"}, {ID: "b", Input: "b"}},
		Task: evalrpc.WorkerTask{Function: s.Unique("task")},
	})
	evaluate := evalrpc.EvaluateOptions{
		Evaluators:    []evalrpc.Evaluator{evalrpc.Builtin("length", nil).Named("size")},
		RunEvaluators: []evalrpc.Evaluator{evalrpc.Builtin("mean", evalrpc.Params{"evaluation": "size"}).Named("mean")},
		RequestID:     s.Unique("evaluate"),
	}
	started := stage.Must(client.Evaluate(ctx, first.ExperimentID(), evaluate))
	again := stage.Must(client.Evaluate(ctx, first.ExperimentID(), evaluate))
	evaluated := ended(started)
	afterEvaluating := calls.Load()
	tasks := evalrpc.RetryOptions{Scope: evalrpc.RetryTasks}
	retried := ended(stage.Must(client.Retry(ctx, first.ExperimentID(), tasks)))
	_, err := client.Retry(ctx, retried.ExperimentID(), evalrpc.RetryOptions{})
	nothingLeft := stage.ErrorOf(err)
	return stage.Object{
		"first": results(first),
		"evaluated": stage.Object{
			"kind":            strings.ToLower(evaluated.Experiment.Origin.Kind),
			"calls":           afterEvaluating,
			"results":         results(evaluated),
			"evaluations":     stage.Evaluations(evaluated.ItemResults[1].Evaluations),
			"run_evaluations": stage.Evaluations(evaluated.RunEvaluations()),
		},
		"retried": stage.Object{
			"kind":    strings.ToLower(retried.Experiment.Origin.Kind),
			"calls":   calls.Load(),
			"results": results(retried),
		},
		"nothing_left": stage.Object{"kind": nothingLeft["kind"], "reason": nothingLeft["reason"]},
		"joined":       again.ID == started.ID,
	}
}
