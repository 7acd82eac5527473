package evalrpc

import "time"

// Failure is what went wrong with an item, an evaluation, an experiment or a delivery. It is data of a result, apart from
// the [Error] of a call.
type Failure struct {
	// Reason is a stable name, such as "TASK_TIMEOUT"; evalrpcv1.ErrorReason lists them.
	Reason string
	// Message is one sentence for a person.
	Message string
	// Metadata holds the facts in the message, by name.
	Metadata map[string]string
	// Retryable tells whether the same call may succeed later without a change.
	Retryable bool
}

// String returns the reason and the sentence, as in "TASK_TIMEOUT: no answer within 120 s".
func (f *Failure) String() string {
	if f.Message == "" {
		return f.Reason
	}
	return f.Reason + ": " + f.Message
}

// Error returns what String returns, so that a failure can be handed on as an error.
func (f *Failure) Error() string { return f.String() }

// Value is what an evaluation says: a [Number], a [Boolean], a [Label], [Unscored], or a *[Failure].
type Value interface{ isValue() }

type (
	// Number is a finite number.
	Number float64
	// Boolean is true or false; it counts as 1 or 0 in means.
	Boolean bool
	// Label is a category.
	Label string
	// Unscored says that the evaluator has nothing to say although nothing failed, and why.
	Unscored string
)

func (Number) isValue()   {}
func (Boolean) isValue()  {}
func (Label) isValue()    {}
func (Unscored) isValue() {}
func (*Failure) isValue() {}

// Evaluation is one verdict on an item's result or on a whole run.
type Evaluation struct {
	// Name of what was judged, such as "accuracy". As an answer of an [EvaluatorFunc] it may be empty: the evaluator's
	// name is taken.
	Name string
	// Value is the verdict. A failed evaluator never gives a 0.
	Value Value
	// Comment is the evaluator's explanation.
	Comment string
	// Metadata holds further facts, a JSON object.
	Metadata JSON
	// ConfigID is the id of the Langfuse score config that the value obeys.
	ConfigID string
	// Evaluator that judged, as name@version, or its name alone.
	Evaluator string
	// Duration that the evaluator took, without queueing and back-off.
	Duration time.Duration
	// Usage is what the evaluator's own models took; nil if unknown.
	Usage *Usage
}

// Number returns the value as a number, where booleans are 1 and 0; false if it is something else.
func (e Evaluation) Number() (float64, bool) {
	switch value := e.Value.(type) {
	case Number:
		return float64(value), true
	case Boolean:
		if value {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// Failure returns why the evaluator failed; nil if it did not.
func (e Evaluation) Failure() *Failure {
	failure, _ := e.Value.(*Failure)
	return failure
}

// Usage is what calls to language models took. Each count is nil where unknown, which is not 0.
type Usage struct {
	// InputTokens read.
	InputTokens *int
	// OutputTokens written.
	OutputTokens *int
	// CostUSD in US dollars.
	CostUSD *float64
	// Model is the model's name.
	Model string
}

// Context is one passage that a task used for its output.
type Context struct {
	// Text of the passage.
	Text string
	// ID of the passage where it is kept.
	ID string
	// Source of the passage, such as a document's name or URL.
	Source string
	// Score of the retriever; nil if unknown.
	Score *float64
}
