package evalrpc

import (
	"time"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// RunOptions say what an experiment is made of, and how to follow it. Zero values stand for the defaults.
type RunOptions struct {
	// Spec is a whole spec of the contract; what else is given here overrides it. Optional.
	Spec *evalrpcv1.ExperimentSpec

	// Name of the experiment; its runs over time share it. Required.
	Name string
	// RunName of this run. Default: "<name> - <UTC time>".
	RunName string
	// Description of the run.
	Description string
	// Metadata of the run, such as the model under test.
	Metadata map[string]any
	// Data to run over. Required.
	Data Data
	// Task to run. Required.
	Task Task
	// Evaluators look at each item's result.
	Evaluators []Evaluator
	// CompositeEvaluator sees an item's evaluations and adds its own.
	CompositeEvaluator Evaluator
	// RunEvaluators look at all results once they are there.
	RunEvaluators []Evaluator
	// MaxConcurrency is how many task calls may be in flight at once. Default: 50.
	MaxConcurrency int
	// TaskTimeout of one attempt of the task. Default: 120 s.
	TaskTimeout time.Duration
	// EvaluatorTimeout of one attempt of an evaluator. Default: 60 s.
	EvaluatorTimeout time.Duration
	// Retry tells how failed attempts of the task are repeated.
	Retry RetryPolicy
	// Repetitions is how many trials each item gets. Default: 1.
	Repetitions int
	// DryRunItems runs only the first so many items.
	DryRunItems int
	// LangfuseProject to record in, by its name on the server. Default: the only one there.
	LangfuseProject string
	// LangfuseSync tells whether the end waits until Langfuse has everything. Default: it does not.
	LangfuseSync evalrpcv1.LangfuseSync
	// LangfuseSyncTimeout bounds that wait. Default: 60 s.
	LangfuseSyncTimeout time.Duration
	// Trace tells how traces are labelled in Langfuse.
	Trace *evalrpcv1.TraceOptions
	// WorkerWait is how long functions may be without a worker. Default: 60 s.
	WorkerWait time.Duration
	// TrialReducers tell how the trials of an item become one value per evaluation.
	TrialReducers []*evalrpcv1.TrialReducer
	// Gates must hold for the run to pass.
	Gates []*evalrpcv1.Gate
	// Budget is what the run may spend.
	Budget *evalrpcv1.Budget
	// ClusterBy is the path within item metadata that tells which items belong together.
	ClusterBy string

	// RequestID makes a repeat of the call join the experiment. Default: a new one.
	RequestID string
	// CancelOnDisconnect has the end of the stream, a cut included, cancel the experiment.
	CancelOnDisconnect bool
	// Patience is for how long, without a message, to try to resume the stream. Default: 5 minutes; negative: not at all.
	Patience time.Duration
	// DiscardResults keeps no results while events are read: [Run.Result] then reads them from the server again.
	DiscardResults bool
}

// RetryPolicy says how failed attempts of a task are repeated: exponential back-off with full jitter. Zero values stand
// for the defaults.
type RetryPolicy struct {
	// MaxAttempts is how often a trial's task may be called, the first time included. Default: 3.
	MaxAttempts int
	// InitialBackoff is the longest wait before the second attempt. Default: 0.5 s.
	InitialBackoff time.Duration
	// MaxBackoff is the longest wait before any attempt. Default: 30 s.
	MaxBackoff time.Duration
	// Multiplier is how the longest wait grows from attempt to attempt. Default: 2.
	Multiplier float64
}

func (p RetryPolicy) toMessage() *evalrpcv1.RetryPolicy {
	message := &evalrpcv1.RetryPolicy{
		MaxAttempts:    int32Of(p.MaxAttempts),
		InitialBackoff: durationMessage(p.InitialBackoff),
		MaxBackoff:     durationMessage(p.MaxBackoff),
	}
	if p.Multiplier != 0 {
		message.Multiplier = &p.Multiplier
	}
	return message
}
