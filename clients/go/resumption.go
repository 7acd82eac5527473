package evalrpc

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

const (
	defaultPatience    = 5 * time.Minute
	firstBackoff       = 100 * time.Millisecond
	maxBackoff         = 5 * time.Second
	unreachedAttempts  = 4
	maxBackoffDoubling = 16
)

// resumption is how a stream of events survives cuts: the rules, apart from any connection. The server numbers events
// without gaps, stores each before it sends it, and can resume behind any of them. So a client that remembers the last
// number sees every event once, however often the stream breaks.
type resumption struct {
	experimentID string // empty until an event told it
	sequence     int    // of the last event taken in
	finished     bool   // whether the last event of all was taken in
	patience     time.Duration

	now         func() time.Time
	jitter      func() float64
	reached     bool
	draining    bool
	attempt     int
	silentSince time.Time
}

func newResumption(experimentID string, after int, patience time.Duration) *resumption {
	if patience == 0 {
		patience = defaultPatience
	}
	return &resumption{
		experimentID: experimentID, sequence: after, patience: max(patience, 0), now: time.Now, jitter: rand.Float64,
	}
}

// accept takes in what the server sent and tells whether it is news to the caller. Checkpoints, repeats and kinds of
// events that this version does not know are not. An error says that an event is missing before this one, so that the
// stream must be taken up anew.
func (r *resumption) accept(message *evalrpcv1.ExperimentEvent) (bool, error) {
	r.reached = true
	sequence := int(message.GetSequence())
	if checkpoint := message.GetCheckpoint(); checkpoint != nil {
		r.draining = checkpoint.GetDraining()
		if !r.draining {
			r.attempt, r.silentSince = 0, time.Time{}
		}
		return false, nil
	}
	if sequence <= r.sequence {
		return false, nil
	}
	if sequence != r.sequence+1 {
		text := fmt.Sprintf("the server sent event %d after %d", sequence, r.sequence)
		return false, &Error{Code: codes.Unavailable, Message: text}
	}
	r.sequence = sequence
	r.draining, r.attempt, r.silentSince = false, 0, time.Time{}
	if experiment := message.GetExperiment(); experiment != nil {
		r.experimentID = experiment.GetId()
		r.finished = stateFromMessage(experiment.GetState()).Ended()
	}
	return message.GetKind() != nil, nil
}

// delay returns how long to wait before the next try, after a failure or, with nil, an end that came too early. An error
// says that the failure is not a passing one, or the patience is at its end.
func (r *resumption) delay(failure *Error) (time.Duration, error) {
	if failure == nil {
		failure = &Error{Code: codes.Unavailable, Message: "the stream ended before the experiment did"}
	}
	if !passing(failure) {
		return 0, failure
	}
	r.reached = r.reached || !errors.Is(failure, ErrUnreachable)
	now := r.now()
	if r.silentSince.IsZero() {
		r.silentSince = now
	}
	r.attempt++
	if r.draining && r.attempt == 1 && r.patience > 0 {
		return 0, nil // announced: the next server may be there already
	}
	if !r.reached && r.attempt >= unreachedAttempts {
		return 0, failure // there never was a connection: more likely a wrong address than a restart
	}
	pause := max(backoffAfter(r.attempt, r.jitter()), failure.RetryAfter)
	if now.Sub(r.silentSince)+pause > r.patience {
		return 0, r.interrupted(failure)
	}
	return pause, nil
}

// backoffAfter returns a pause that doubles with each attempt, from 1, up to a limit; half of it is random.
func backoffAfter(attempt int, jitter float64) time.Duration {
	longest := min(maxBackoff, firstBackoff<<min(attempt, maxBackoffDoubling))
	return time.Duration(float64(longest) * (0.5 + jitter/2))
}

func (r *resumption) interrupted(failure *Error) *Error {
	if r.experimentID == "" {
		return failure
	}
	interrupted := *failure
	interrupted.kind, interrupted.Code = ErrWatchInterrupted, codes.Unavailable
	interrupted.Message = fmt.Sprintf("watching experiment %s broke off after event %d: %s",
		r.experimentID, r.sequence, failure.Message)
	interrupted.Metadata = maps.Clone(failure.Metadata)
	if interrupted.Metadata == nil {
		interrupted.Metadata = map[string]string{}
	}
	interrupted.Metadata["experiment_id"] = r.experimentID
	interrupted.Metadata["after_sequence"] = strconv.Itoa(r.sequence)
	return &interrupted
}

// passing tells whether a stream that failed like this may be taken up again. The server says UNAVAILABLE, or names a
// pause. Of the rest, what carries no reason of an evalrpc server was made up on the way, by a proxy or a broken
// connection.
func passing(failure *Error) bool {
	if failure.Code == codes.Unavailable || failure.RetryAfter > 0 {
		return true
	}
	switch failure.Code {
	case codes.Internal, codes.Unknown, codes.Canceled, codes.DataLoss:
		return failure.Reason == ""
	}
	return false
}
