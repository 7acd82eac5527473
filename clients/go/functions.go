package evalrpc

import (
	"context"
	"errors"
	"iter"
	"time"
)

// ExperimentInfo tells functions which experiment asks.
type ExperimentInfo struct {
	// ID of the experiment.
	ID string
	// Name of the experiment.
	Name string
	// RunName of the run.
	RunName string
}

// TaskItem is what a task function gets.
type TaskItem struct {
	// ID of the item.
	ID string
	// Input of the item.
	Input JSON
	// ExpectedOutput of the item; absent if there is none, or the task may not see it.
	ExpectedOutput JSON
	// Metadata of the item, an object.
	Metadata JSON
	// Trial of the item, from 1.
	Trial int
	// Attempt at the trial, from 1.
	Attempt int
	// Experiment that asks.
	Experiment ExperimentInfo
}

// TaskFunc is a task that runs in this process. What it returns is the output: anything that [encoding/json] can write,
// a [JSON], or a [TaskOutput]. An error, or a panic, fails the item; [Retryable] has it tried again. The context ends
// with the task's time-out and when the experiment is cancelled; [TraceContext] is in it.
type TaskFunc func(ctx context.Context, item TaskItem) (any, error)

// TypedTask returns a task whose input and output have Go types. An input that does not fit fails the item.
func TypedTask[In, Out any](function func(ctx context.Context, input In) (Out, error)) TaskFunc {
	return func(ctx context.Context, item TaskItem) (any, error) {
		var input In
		if err := item.Input.Decode(&input); err != nil {
			return nil, err
		}
		return function(ctx, input)
	}
}

// TaskOutput is an output with what belongs to it.
type TaskOutput struct {
	// Output is what a [TaskFunc] would return otherwise.
	Output any
	// Contexts are the passages that the output rests on, in the order of retrieval.
	Contexts []Context
	// Usage of the task's models; nil if unknown.
	Usage *Usage
	// Metadata of the output, an object; nil for none.
	Metadata any
}

// EvaluatorInput is what an evaluator function gets.
type EvaluatorInput struct {
	// ItemID of the item.
	ItemID string
	// Input of the item.
	Input JSON
	// Output of the task.
	Output JSON
	// ExpectedOutput of the item; absent if there is none.
	ExpectedOutput JSON
	// Metadata of the item, an object.
	Metadata JSON
	// Contexts that the output rests on, in the order of retrieval.
	Contexts []Context
	// Trial of the item, from 1.
	Trial int
	// Evaluations of the item so far; for a composite evaluator alone.
	Evaluations []Evaluation
	// TaskDuration is how long the task took.
	TaskDuration time.Duration
	// Usage of the task's models; nil if unknown.
	Usage *Usage
	// Experiment that asks.
	Experiment ExperimentInfo
}

// RunEvaluatorInput is what a run evaluator function gets.
type RunEvaluatorInput struct {
	// Experiment that asks.
	Experiment ExperimentInfo
	// ItemResultCount tells how many results there are; 0 where the server does not say.
	ItemResultCount int

	results iter.Seq2[*ItemResult, error]
}

// Results yields every result of the run, failed ones included, in the order of the items. They arrive in chunks while
// they are read, once; an error says that the rest does not come.
func (i RunEvaluatorInput) Results() iter.Seq2[*ItemResult, error] { return i.results }

// Verdict is what an evaluator function may return. An [Evaluation] without a name has the evaluator's, and one without a
// value is unscored.
type Verdict interface {
	float64 | int | bool | string | Number | Boolean | Label | Unscored | Evaluation | []Evaluation
}

type (
	itemFunction func(context.Context, EvaluatorInput) ([]Evaluation, error)
	runFunction  func(context.Context, RunEvaluatorInput) ([]Evaluation, error)
)

func evaluationsOf[T Verdict](verdict T, err error) ([]Evaluation, error) {
	if err != nil {
		return nil, err
	}
	switch verdict := any(verdict).(type) {
	case float64:
		return []Evaluation{{Value: Number(verdict)}}, nil
	case int:
		return []Evaluation{{Value: Number(verdict)}}, nil
	case bool:
		return []Evaluation{{Value: Boolean(verdict)}}, nil
	case string:
		return []Evaluation{{Value: Label(verdict)}}, nil
	case Value:
		return []Evaluation{{Value: verdict}}, nil
	case Evaluation:
		return []Evaluation{verdict}, nil
	case []Evaluation:
		return verdict, nil
	}
	return nil, errors.New("an evaluator returned something else than a verdict")
}

type retryable struct{ error }

func (r retryable) Unwrap() error { return r.error }

// Retryable marks an error of a function as a passing one: the call is tried again, as far as the experiment's retry
// policy allows.
func Retryable(err error) error { return retryable{err} }

type traceContextKey struct{}

// TraceContext returns the W3C trace context that a function's own spans join: traceparent, and tracestate and baggage
// where there are any. It fits propagation.MapCarrier of OpenTelemetry. Outside of a function it is nil.
func TraceContext(ctx context.Context) map[string]string {
	carrier, _ := ctx.Value(traceContextKey{}).(map[string]string)
	return carrier
}
