package evalrpc

import "time"

// ExperimentItem is an item of an experiment, as results carry it.
type ExperimentItem struct {
	// ID of the item, given or by default.
	ID string
	// Index is the item's place in the data, from 0.
	Index int
	// DatasetItemID is the id of the Langfuse dataset item that it comes from.
	DatasetItemID string
	// Input that the task got.
	Input JSON
	// ExpectedOutput; absent if there is none.
	ExpectedOutput JSON
	// Metadata is a JSON object; absent if there is none.
	Metadata JSON
}

// ItemResult is what became of one trial of one item. An item that failed has a result, too.
type ItemResult struct {
	// Item that it is the result of.
	Item ExperimentItem
	// Trial of the item, from 1.
	Trial int
	// Output of the task; absent if it failed.
	Output JSON
	// Evaluations in the order of the spec's evaluators, the composite evaluator's last.
	Evaluations []Evaluation
	// Failure says why the task failed; nil if it did not.
	Failure *Failure
	// Contexts are the passages that the task says it used, in its order.
	Contexts []Context
	// TraceID of the trial's trace, 32 hexadecimal digits.
	TraceID string
	// TraceURL of the trace in Langfuse.
	TraceURL string
	// StartTime of the last attempt; zero if the task was never called.
	StartTime time.Time
	// TaskDuration of the last attempt, without queueing and back-off.
	TaskDuration time.Duration
	// EvaluationDuration is how long all evaluators of the item took together, by the clock.
	EvaluationDuration time.Duration
	// Attempts is how often the task was called.
	Attempts int
	// Usage is what the task's models took; nil if unknown.
	Usage *Usage
	// OutputMetadata is what the task gave with its output, a JSON object.
	OutputMetadata JSON
}

// Evaluation returns the first evaluation of a name; false if there is none.
func (r *ItemResult) Evaluation(name string) (Evaluation, bool) {
	return evaluationOf(r.Evaluations, name)
}

func evaluationOf(evaluations []Evaluation, name string) (Evaluation, bool) {
	for _, evaluation := range evaluations {
		if evaluation.Name == name {
			return evaluation, true
		}
	}
	return Evaluation{}, false
}
