package evalrpc

import (
	"context"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// Variances tell what scatters.
type Variances struct {
	// BetweenItems is the variance of the items' difference, without the scatter of trials.
	BetweenItems float64
	// BaselineWithinItem is the variance of one item's trials in the baseline.
	BaselineWithinItem float64
	// CandidateWithinItem is the variance of one item's trials in the candidate.
	CandidateWithinItem float64
}

// PlanOptions say what to plan for. Either Variances or an ExperimentID with an Evaluation is required.
type PlanOptions struct {
	// Difference of the means to see, above 0. Required.
	Difference float64
	// Variances as numbers.
	Variances *Variances
	// ExperimentID of an experiment whose values tell what scatters, best one with several trials.
	ExperimentID string
	// Evaluation whose values.
	Evaluation string
	// CandidateID of another experiment over the same items, whose difference to the first is measured; may be empty.
	CandidateID string
	// Trials per item to plan for; empty for 1, 2, 3, 5 and 10.
	Trials []int
	// Power is the chance to see the difference where it is; 0 for 0.8.
	Power float64
	// Significance is the chance to see it where it is not; 0 for 0.05.
	Significance float64
}

// ExperimentPlan is so many items with so many trials each.
type ExperimentPlan struct {
	// Trials per item.
	Trials int
	// Items needed.
	Items int
	// TaskCalls that one run of them takes.
	TaskCalls int64
}

// Plans for each number of trials, and the variances that they are for.
type Plans struct {
	// Plans in the order of the trials asked for.
	Plans []ExperimentPlan
	// Variances that they are for.
	Variances Variances
}

// Plan computes how many items and trials it takes to see a difference between two runs over the same items.
func (c *Client) Plan(ctx context.Context, options PlanOptions) (*Plans, error) {
	request := &evalrpcv1.PlanExperimentRequest{
		Difference: options.Difference,
		Trials:     mapped(options.Trials, func(trials int) int32 { return int32(min(max(trials, -1), 1<<30)) }),
	}
	if options.Power != 0 {
		request.Power = &options.Power
	}
	if options.Significance != 0 {
		request.Significance = &options.Significance
	}
	if given := options.Variances; given != nil {
		request.Variances = &evalrpcv1.PlanExperimentRequest_Given{Given: &evalrpcv1.GivenVariances{
			BetweenItems:        given.BetweenItems,
			BaselineWithinItem:  given.BaselineWithinItem,
			CandidateWithinItem: given.CandidateWithinItem,
		}}
	} else if options.ExperimentID != "" {
		request.Variances = &evalrpcv1.PlanExperimentRequest_Measured{Measured: &evalrpcv1.MeasuredVariances{
			ExperimentId: options.ExperimentID,
			Evaluation:   options.Evaluation,
			CandidateId:  options.CandidateID,
		}}
	}
	response, err := call(ctx, c, c.experiments.PlanExperiment, request)
	if err != nil {
		return nil, err
	}
	variances := response.GetVariances()
	return &Plans{
		Plans: mapped(response.GetPlans(), func(plan *evalrpcv1.ExperimentPlan) ExperimentPlan {
			return ExperimentPlan{int(plan.GetTrials()), int(plan.GetItems()), plan.GetTaskCalls()}
		}),
		Variances: Variances{
			variances.GetBetweenItems(), variances.GetBaselineWithinItem(), variances.GetCandidateWithinItem(),
		},
	}, nil
}
