package evalrpc

import (
	"context"
	"strings"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// ComparisonVerdict tells how a candidate stands to its baseline.
type ComparisonVerdict string

// The verdicts. VerdictInconclusive means that the data do not tell.
const (
	VerdictUnspecified  ComparisonVerdict = "UNSPECIFIED"
	VerdictPass         ComparisonVerdict = "PASS"
	VerdictRegressed    ComparisonVerdict = "REGRESSED"
	VerdictImproved     ComparisonVerdict = "IMPROVED"
	VerdictInconclusive ComparisonVerdict = "INCONCLUSIVE"
)

// RunRef names a run: an experiment by its ID, or a run that Langfuse has by its dataset and name.
type RunRef struct {
	// ID of an experiment.
	ID string
	// Dataset in Langfuse, instead of an ID.
	Dataset string
	// RunName over the dataset.
	RunName string
	// Project of the dataset, by its name on the server; empty for the only one there.
	Project string
}

func (r RunRef) message() *evalrpcv1.ExperimentRef {
	if r.Dataset != "" || r.RunName != "" {
		run := &evalrpcv1.LangfuseRun{Dataset: r.Dataset, RunName: r.RunName, Project: r.Project}
		return &evalrpcv1.ExperimentRef{Source: &evalrpcv1.ExperimentRef_LangfuseRun{LangfuseRun: run}}
	}
	return &evalrpcv1.ExperimentRef{Source: &evalrpcv1.ExperimentRef_Id{Id: r.ID}}
}

// CompareOptions say how runs are compared.
type CompareOptions struct {
	// Evaluations to compare, by name; empty for all.
	Evaluations []string
	// Margin by which a candidate may be worse and still pass.
	Margin float64
	// Margins of single evaluations, by name.
	Margins map[string]float64
	// Confidence of intervals and verdicts; 0 for 0.95.
	Confidence float64
	// TrialReducers make one value of an item's trials; empty for the baseline's.
	TrialReducers []*evalrpcv1.TrialReducer
	// ClusterBy is the path within item metadata that tells which items belong together; empty for the baseline's.
	ClusterBy string
	// LowerIsBetter names the evaluations of which less is better, such as latency.
	LowerIsBetter []string
	// MaxFlips is how many changed items to return per evaluation; nil for 20.
	MaxFlips *int
}

// Comparison sets a run beside its baseline, item by item.
type Comparison struct {
	// Baseline is its id or run name.
	Baseline string
	// Candidate is its id or run name.
	Candidate string
	// Evaluations of which both runs have numbers or booleans, by name.
	Evaluations []EvaluationComparison
	// MatchedItems counts items that both runs have.
	MatchedItems int
	// OnlyInBaseline are ids that only the baseline has, the first thousand.
	OnlyInBaseline []string
	// OnlyInCandidate are ids that only the candidate has, the first thousand.
	OnlyInCandidate []string
}

// Regressed tells whether any evaluation is worse than the baseline's, with confidence.
func (c *Comparison) Regressed() bool {
	for _, evaluation := range c.Evaluations {
		if evaluation.Verdict == VerdictRegressed {
			return true
		}
	}
	return false
}

// EvaluationComparison compares one evaluation over the items that have a value in both runs. What cannot be computed is nil.
type EvaluationComparison struct {
	// Name of the evaluation.
	Name string
	// Verdict against the margin.
	Verdict ComparisonVerdict
	// N counts the items that have a value in both runs.
	N int
	// BaselineMean over them.
	BaselineMean float64
	// CandidateMean over them.
	CandidateMean float64
	// Difference of the means, candidate less baseline.
	Difference float64
	// StandardError of the difference.
	StandardError *float64
	// Interval of the difference.
	Interval *Interval
	// PValue is the probability of such a difference by chance.
	PValue *float64
	// AdjustedPValue is corrected for the number of evaluations.
	AdjustedPValue *float64
	// Test behind the p value: PAIRED_T, MCNEMAR_EXACT or SIGN_FLIP; empty for none.
	Test string
	// Correlation of both runs' values.
	Correlation *float64
	// MinimumDetectableDifference is what so many items show with a power of 0.8.
	MinimumDetectableDifference *float64
	// Margin by which the candidate may be worse.
	Margin float64
	// Gained counts items whose value became better.
	Gained int
	// Lost counts items whose value became worse.
	Lost int
	// BaselineOnly counts matched items with a value in the baseline alone.
	BaselineOnly int
	// CandidateOnly counts matched items with a value in the candidate alone.
	CandidateOnly int
	// Flips are the items whose value changed most, losses first.
	Flips []Flip
}

// Flip is an item whose value changed.
type Flip struct {
	// Item as the candidate has it.
	Item ExperimentItem
	// BaselineValue before.
	BaselineValue float64
	// CandidateValue after.
	CandidateValue float64
	// BaselineOutput of the first trial; absent if there is none.
	BaselineOutput JSON
	// CandidateOutput of the first trial; absent if there is none.
	CandidateOutput JSON
}

// Compare sets runs beside a baseline, item by item, with paired statistics. It returns one comparison for each candidate.
func (c *Client) Compare(
	ctx context.Context, baseline RunRef, candidates []RunRef, options CompareOptions,
) ([]*Comparison, error) {
	request := &evalrpcv1.CompareExperimentsRequest{
		Experiments:   append([]*evalrpcv1.ExperimentRef{baseline.message()}, mapped(candidates, RunRef.message)...),
		Evaluations:   options.Evaluations,
		Margin:        options.Margin,
		Margins:       options.Margins,
		TrialReducers: options.TrialReducers,
		ClusterBy:     options.ClusterBy,
		LowerIsBetter: options.LowerIsBetter,
	}
	if options.Confidence != 0 {
		request.Confidence = &options.Confidence
	}
	if options.MaxFlips != nil {
		most := int32(min(max(*options.MaxFlips, -1), 1<<30))
		request.MaxFlips = &most
	}
	response, err := call(ctx, c, c.experiments.CompareExperiments, request)
	if err != nil {
		return nil, err
	}
	return mapped(response.GetComparisons(), comparisonFromMessage), nil
}

func comparisonFromMessage(message *evalrpcv1.Comparison) *Comparison {
	return &Comparison{
		Baseline:        message.GetBaseline(),
		Candidate:       message.GetCandidate(),
		Evaluations:     mapped(message.GetEvaluations(), evaluationComparisonFromMessage),
		MatchedItems:    int(message.GetMatchedItems()),
		OnlyInBaseline:  message.GetOnlyInBaseline(),
		OnlyInCandidate: message.GetOnlyInCandidate(),
	}
}

// verdictFromMessage returns VerdictUnspecified for a verdict that this version does not know.
func verdictFromMessage(verdict evalrpcv1.Verdict) ComparisonVerdict {
	if name, known := evalrpcv1.Verdict_name[int32(verdict)]; known {
		return ComparisonVerdict(strings.TrimPrefix(name, "VERDICT_"))
	}
	return VerdictUnspecified
}

func evaluationComparisonFromMessage(message *evalrpcv1.EvaluationComparison) EvaluationComparison {
	comparison := EvaluationComparison{
		Name:                        message.GetName(),
		Verdict:                     verdictFromMessage(message.GetVerdict()),
		N:                           int(message.GetN()),
		BaselineMean:                message.GetBaselineMean(),
		CandidateMean:               message.GetCandidateMean(),
		Difference:                  message.GetDifference(),
		StandardError:               message.StandardError,
		Interval:                    intervalOf(message.GetInterval()),
		PValue:                      message.PValue,
		AdjustedPValue:              message.AdjustedPValue,
		Correlation:                 message.Correlation,
		MinimumDetectableDifference: message.MinimumDetectableDifference,
		Margin:                      message.GetMargin(),
		Gained:                      int(message.GetGained()),
		Lost:                        int(message.GetLost()),
		BaselineOnly:                int(message.GetBaselineOnly()),
		CandidateOnly:               int(message.GetCandidateOnly()),
		Flips:                       mapped(message.GetFlips(), flipFromMessage),
	}
	if message.GetTest() != evalrpcv1.ComparisonTest_COMPARISON_TEST_UNSPECIFIED {
		comparison.Test = strings.TrimPrefix(message.GetTest().String(), "COMPARISON_TEST_")
	}
	return comparison
}

func flipFromMessage(message *evalrpcv1.Flip) Flip {
	return Flip{
		Item:            experimentItemFromMessage(message.GetItem()),
		BaselineValue:   message.GetBaselineValue(),
		CandidateValue:  message.GetCandidateValue(),
		BaselineOutput:  jsonFromMessage(message.GetBaselineOutput()),
		CandidateOutput: jsonFromMessage(message.GetCandidateOutput()),
	}
}
