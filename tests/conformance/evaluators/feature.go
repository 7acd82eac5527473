// Package evaluators shows what evaluator functions see, and all that they may say.
package evaluators

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func number(context.Context, evalrpc.EvaluatorInput) (float64, error) { return 0.25, nil }

func flag(context.Context, evalrpc.EvaluatorInput) (bool, error) { return true, nil }

func label(context.Context, evalrpc.EvaluatorInput) (string, error) { return "polite", nil }

func nothing(context.Context, evalrpc.EvaluatorInput) (evalrpc.Evaluation, error) {
	return evalrpc.Evaluation{}, nil
}

func several(_ context.Context, input evalrpc.EvaluatorInput) ([]evalrpc.Evaluation, error) {
	seen := fmt.Sprintf(`{"seen": [%s, %s, %s, %s]}`,
		string(input.Input), string(input.Output), string(input.ExpectedOutput), string(input.Metadata))
	return []evalrpc.Evaluation{
		{Name: "first", Value: evalrpc.Number(1), Comment: "all of it", Metadata: evalrpc.JSON(seen)},
		{Name: "second", Value: evalrpc.Boolean(false)},
	}, nil
}

func broken(context.Context, evalrpc.EvaluatorInput) (float64, error) {
	return 0, errors.New("cannot judge")
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	result := stage.Run(ctx, s.Client(), evalrpc.RunOptions{
		Name: s.Unique("run"),
		Data: evalrpc.Items{{Input: "in", ExpectedOutput: "exp", Metadata: map[string]any{"k": 1}}},
		Task: evalrpc.TaskFunc(func(context.Context, evalrpc.TaskItem) (any, error) { return "out", nil }),
		Evaluators: []evalrpc.Evaluator{
			evalrpc.EvaluatorFunc("number", number),
			evalrpc.EvaluatorFunc("flag", flag),
			evalrpc.EvaluatorFunc("label", label),
			evalrpc.EvaluatorFunc("nothing", nothing),
			evalrpc.EvaluatorFunc("several", several),
			evalrpc.EvaluatorFunc("broken", broken),
		},
	})
	said := result.ItemResults[0].Evaluations
	summaries := stage.Object{}
	for _, name := range []string{"number", "nothing", "broken"} {
		summary, _ := result.Experiment.Summary(name)
		summaries[name] = []int{summary.N, summary.Unscored, summary.Errors}
	}
	return stage.Object{
		"evaluations": stage.Evaluations(said),
		"comment":     said[4].Comment,
		"metadata":    json.RawMessage(said[4].Metadata),
		"summaries":   summaries,
	}
}
