package evalrpc

import (
	"time"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// ExperimentState is where an experiment is in its life.
type ExperimentState string

// The states. StateSucceeded means that every item has a result, though items may have failed.
const (
	StateUnspecified ExperimentState = "UNSPECIFIED"
	StatePending     ExperimentState = "PENDING"
	StateRunning     ExperimentState = "RUNNING"
	StateCancelling  ExperimentState = "CANCELLING"
	StateSucceeded   ExperimentState = "SUCCEEDED"
	StateFailed      ExperimentState = "FAILED"
	StateCancelled   ExperimentState = "CANCELLED"
)

// Ended tells whether nothing more happens in this state.
func (s ExperimentState) Ended() bool {
	return s == StateSucceeded || s == StateFailed || s == StateCancelled
}

// Progress counts trials.
type Progress struct {
	// Total to run; nil until the data was read to its end.
	Total *int
	// Completed ones have a result, failed ones included.
	Completed int
	// Failed ones have an error as their result.
	Failed int
	// Retried counts task calls that were repeats.
	Retried int
	// InFlight ones have begun and have no result.
	InFlight int
}

// EvaluationSummary sums up the item evaluations of one name, after the trials of an item were reduced to one value. The
// statistics are nil where they cannot be computed.
type EvaluationSummary struct {
	// Name of the evaluations.
	Name string
	// N counts the evaluations with a value.
	N int
	// Unscored counts those without a value although nothing failed.
	Unscored int
	// Errors counts those that failed.
	Errors int
	// Mean of numbers; the share of true for booleans.
	Mean *float64
	// StandardError of the mean.
	StandardError *float64
	// StandardDeviation of the sample.
	StandardDeviation *float64
	// Interval of the mean.
	Interval *Interval
	// Min is the smallest value.
	Min *float64
	// Max is the greatest value.
	Max *float64
	// Quantiles by probability.
	Quantiles map[float64]float64
	// Labels tells how often each label was given.
	Labels map[string]int
	// Clusters that the standard error counts; 0 if it counts independent values.
	Clusters int
}

// Interval is an interval of confidence.
type Interval struct {
	// Low is the lower end.
	Low float64
	// High is the upper end.
	High float64
	// Confidence, such as 0.95.
	Confidence float64
}

// LangfuseStatus is how an experiment is recorded in Langfuse.
type LangfuseStatus struct {
	// Project by its name on the server.
	Project string
	// ExperimentID in Langfuse.
	ExperimentID string
	// DatasetRunID; empty if the data is no dataset of Langfuse's.
	DatasetRunID string
	// URL of the run's page.
	URL string
	// Queued records are not answered for yet.
	Queued int
	// Accepted records are in Langfuse.
	Accepted int
	// Rejected records were refused for good.
	Rejected int
	// Verified records were found when reading back; nil if they were not.
	Verified *int
	// LastError is what went wrong last; nil if nothing has.
	LastError *Failure
	// LastErrorTime is when that was.
	LastErrorTime time.Time
}

// GateResult is what became of a gate of the spec.
type GateResult struct {
	// Name of the gate.
	Name string
	// Passed tells whether it holds.
	Passed bool
	// Message says what was compared with what.
	Message string
	// Value that was compared; nil if there is none, and the gate fails.
	Value *float64
	// Verdict of a gate on a baseline; empty for other gates.
	Verdict ComparisonVerdict
}

// Spending is what calls to language models took so far, as far as it is known.
type Spending struct {
	// InputTokens read.
	InputTokens int64
	// OutputTokens written.
	OutputTokens int64
	// CostUSD in US dollars.
	CostUSD float64
	// Unknown counts calls that did not say what they took.
	Unknown int
}

// Origin names the experiment that another one looks at again.
type Origin struct {
	// ExperimentID of the earlier one.
	ExperimentID string
	// Kind tells what is done with it: "EVALUATE" for its outputs anew, "RETRY" for what failed.
	Kind string
}

// EndpointLimit says how fast an endpoint may be called. All experiments of a server share it.
type EndpointLimit struct {
	// Endpoint is its scheme, host and port.
	Endpoint string
	// Rate of calls per second that are let through at the moment.
	Rate float64
	// InFlight counts the calls in flight, those of other experiments included.
	InFlight int
	// PausedUntil tells until when nothing is let through, as the endpoint asked; zero if calls are.
	PausedUntil time.Time
}

// Experiment is one run of a spec over its data, as it is at the moment.
type Experiment struct {
	// ID given by the server.
	ID string
	// Name of the experiment.
	Name string
	// RunName of this run.
	RunName string
	// Description of the run.
	Description string
	// Metadata of the run.
	Metadata map[string]any
	// State in its life.
	State ExperimentState
	// Evaluators are the names of the item evaluations in the order of the spec, the composite evaluator's last.
	Evaluators []string
	// Progress so far.
	Progress Progress
	// Summaries of the item evaluations so far, one per name.
	Summaries []EvaluationSummary
	// RunEvaluations are what the run evaluators said, failures included.
	RunEvaluations []Evaluation
	// Langfuse tells how it is recorded there; nil if it is not.
	Langfuse *LangfuseStatus
	// LastSequence is the sequence of its last event.
	LastSequence int
	// CreateTime is when it was accepted.
	CreateTime time.Time
	// StartTime is when it began; zero if it has not.
	StartTime time.Time
	// EndTime is when it ended; zero if it has not.
	EndTime time.Time
	// Failure says why it could not go on; only in StateFailed.
	Failure *Failure
	// Waiting says why nothing moves at the moment, such as NO_WORKER.
	Waiting *Failure
	// Gates tells what became of the gates.
	Gates []GateResult
	// TaskSpending is what the tasks took; nil if none said.
	TaskSpending *Spending
	// EvaluationSpending is what the evaluators' models took; nil if none did.
	EvaluationSpending *Spending
	// EndpointLimits tell how fast the endpoints of its task and evaluators may be called; only Client.Get fills them in. Empty
	// if none is limited.
	EndpointLimits []EndpointLimit
	// Origin is the experiment that this one looks at again; nil if there is none.
	Origin *Origin
	// RequestID that it was started with.
	RequestID string
	// Spec with defaults filled in, as the contract has it; inline items are left out.
	Spec *evalrpcv1.ExperimentSpec
}

// Summary returns the summary of a name; false if there is none.
func (e *Experiment) Summary(name string) (EvaluationSummary, bool) {
	for _, summary := range e.Summaries {
		if summary.Name == name {
			return summary, true
		}
	}
	return EvaluationSummary{}, false
}
