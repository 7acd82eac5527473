package evalrpc

import "slices"

// ExperimentResult is what became of a run.
type ExperimentResult struct {
	// Experiment at its end.
	Experiment *Experiment
	// ItemResults hold one for each item and trial, failed ones included, by item in the order of the data, then by trial.
	ItemResults []*ItemResult
}

// newExperimentResult puts results into the order of the data.
func newExperimentResult(experiment *Experiment, results []*ItemResult) *ExperimentResult {
	ordered := slices.Clone(results)
	slices.SortStableFunc(ordered, func(a, b *ItemResult) int {
		if a.Item.Index != b.Item.Index {
			return a.Item.Index - b.Item.Index
		}
		return a.Trial - b.Trial
	})
	return &ExperimentResult{experiment, ordered}
}

// Name returns the experiment's name.
func (r *ExperimentResult) Name() string { return r.Experiment.Name }

// RunName returns this run's name.
func (r *ExperimentResult) RunName() string { return r.Experiment.RunName }

// ExperimentID returns the experiment's id on the server.
func (r *ExperimentResult) ExperimentID() string { return r.Experiment.ID }

// ExperimentURL returns the run's page in Langfuse; empty if it is not recorded there.
func (r *ExperimentResult) ExperimentURL() string {
	if r.Experiment.Langfuse == nil {
		return ""
	}
	return r.Experiment.Langfuse.URL
}

// State returns how the run ended.
func (r *ExperimentResult) State() ExperimentState { return r.Experiment.State }

// Failure returns why the run could not go on; nil unless its state is StateFailed.
func (r *ExperimentResult) Failure() *Failure { return r.Experiment.Failure }

// RunEvaluations returns what the run evaluators said, failures included.
func (r *ExperimentResult) RunEvaluations() []Evaluation { return r.Experiment.RunEvaluations }

// RunEvaluation returns the run evaluation of a name; false if there is none.
func (r *ExperimentResult) RunEvaluation(name string) (Evaluation, bool) {
	return evaluationOf(r.Experiment.RunEvaluations, name)
}

// FailedItems returns the results whose task failed.
func (r *ExperimentResult) FailedItems() []*ItemResult {
	var failed []*ItemResult
	for _, result := range r.ItemResults {
		if result.Failure != nil {
			failed = append(failed, result)
		}
	}
	return failed
}

// A FormatOption changes what [ExperimentResult.Format] shows.
type FormatOption func(*reportOptions)

type reportOptions struct{ items bool }

// IncludeItemResults shows each item.
func IncludeItemResults() FormatOption { return func(o *reportOptions) { o.items = true } }

// Format returns the result as text for a terminal, in the layout of the Langfuse SDK's format(). Besides what that
// shows, failures are counted and named, booleans are shown as such, evaluations come in the order of the spec, and
// unscored and failed evaluations are told from values.
func (r *ExperimentResult) Format(options ...FormatOption) string {
	var chosen reportOptions
	for _, option := range options {
		option(&chosen)
	}
	return report(r.Experiment, r.ItemResults, chosen)
}
