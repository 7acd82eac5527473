// Package comparisons shows what must hold for a run, how two runs compare item by item, and how many items it takes to tell.
package comparisons

import (
	"context"
	"fmt"
	"math"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func threshold(name string, value float64) *evalrpcv1.Gate {
	rule := &evalrpcv1.Gate_Threshold{Threshold: &evalrpcv1.ThresholdGate{Value: value}}
	return &evalrpcv1.Gate{Name: name, Evaluation: "accuracy", Rule: rule}
}

func runWith(
	ctx context.Context, client *evalrpc.Client, name string, right func(int) bool, gates ...*evalrpcv1.Gate,
) *evalrpc.Experiment {
	data := evalrpc.Items{}
	for number := range 8 {
		data = append(data, evalrpc.Item{ID: fmt.Sprintf("i%d", number), Input: number, ExpectedOutput: "right"})
	}
	answer := func(_ context.Context, input int) (string, error) {
		if right(input) {
			return "right", nil
		}
		return "wrong", nil
	}
	return stage.Run(ctx, client, evalrpc.RunOptions{
		Name:       name,
		Data:       data,
		Task:       evalrpc.TypedTask(answer),
		Evaluators: []evalrpc.Evaluator{evalrpc.Builtin("exact_match", nil).Named("accuracy")},
		Gates:      gates,
	}).Experiment
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	baseline := runWith(ctx, client, s.Unique("baseline"), func(n int) bool { return n == 7 })
	candidate := runWith(ctx, client, s.Unique("candidate"), func(n int) bool { return n > 0 },
		threshold("enough", 0.8), threshold("perfect", 1))
	one := 1
	options := evalrpc.CompareOptions{MaxFlips: &one}
	candidates := []evalrpc.RunRef{{ID: candidate.ID}}
	comparison := stage.Must(client.Compare(ctx, evalrpc.RunRef{ID: baseline.ID}, candidates, options))[0]
	plans := stage.Must(client.Plan(ctx, evalrpc.PlanOptions{
		Difference: 0.1,
		Variances:  &evalrpc.Variances{BetweenItems: 0.25, BaselineWithinItem: 0.25},
		Trials:     []int{1, 2},
	}))
	_, missing := client.Compare(ctx, evalrpc.RunRef{ID: "exp_none"}, candidates, options)
	found := comparison.Evaluations[0]
	gates, flips, plan := [][]any{}, [][]any{}, [][]int{}
	for _, each := range candidate.Gates {
		gates = append(gates, []any{each.Name, each.Passed})
	}
	for _, each := range found.Flips {
		flips = append(flips, []any{
			each.Item.ID, each.BaselineValue, each.CandidateValue,
			each.BaselineOutput.String(), each.CandidateOutput.String(),
		})
	}
	for _, each := range plans.Plans {
		plan = append(plan, []int{each.Trials, each.Items})
	}
	return stage.Object{
		"gates": gates,
		"comparison": stage.Object{
			"verdict":    found.Verdict,
			"matched":    comparison.MatchedItems,
			"means":      []float64{found.BaselineMean, found.CandidateMean},
			"difference": found.Difference,
			"gained":     found.Gained,
			"lost":       found.Lost,
			"test":       found.Test,
			"p_value":    math.Round(*found.PValue*1e6) / 1e6,
			"regressed":  comparison.Regressed(),
		},
		"flips":             flips,
		"only_in_candidate": append([]string{}, comparison.OnlyInCandidate...),
		"plan":              plan,
		"missing":           stage.ErrorOf(missing)["kind"],
	}
}
