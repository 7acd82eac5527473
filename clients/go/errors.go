package evalrpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// The kinds of errors, for [errors.Is]. Each matches any [Error] of its kind.
var (
	// ErrInvalidRequest: the request is wrong; the violations name the fields. Some are found before anything is sent.
	ErrInvalidRequest = errors.New("evalrpc: invalid request")
	// ErrNotFound: something that the request names does not exist.
	ErrNotFound = errors.New("evalrpc: not found")
	// ErrAlreadyExists: the request id belongs to an experiment of other content.
	ErrAlreadyExists = errors.New("evalrpc: already exists")
	// ErrFailedPrecondition: the request is right, and the server is not in the state for it.
	ErrFailedPrecondition = errors.New("evalrpc: failed precondition")
	// ErrOutOfRange: the events asked for are no longer kept, or have not happened.
	ErrOutOfRange = errors.New("evalrpc: out of range")
	// ErrUnauthenticated: the call carries no valid token or client certificate.
	ErrUnauthenticated = errors.New("evalrpc: unauthenticated")
	// ErrPermissionDenied: the token is valid and does not allow this call.
	ErrPermissionDenied = errors.New("evalrpc: permission denied")
	// ErrResourceExhausted: a limit is reached: open calls, a rate, the store's room, the size of a message.
	ErrResourceExhausted = errors.New("evalrpc: resource exhausted")
	// ErrUnavailable: no server answers, or it is about to shut down.
	ErrUnavailable = errors.New("evalrpc: unavailable")
	// ErrUnreachable: there is no connection to the server at all. Such errors match ErrUnavailable, too.
	ErrUnreachable = errors.New("evalrpc: unreachable")
	// ErrWatchInterrupted: the stream of events broke off and could not be taken up again in time. The experiment goes
	// on; watch it later by its id. Such errors match ErrUnavailable, too.
	ErrWatchInterrupted = errors.New("evalrpc: watch interrupted")
	// ErrNotImplemented: this server does not support the call or the field.
	ErrNotImplemented = errors.New("evalrpc: not implemented")
	// ErrInternal: a fault of the server; the metadata's error_id stands in its log.
	ErrInternal = errors.New("evalrpc: internal")
)

var kinds = map[codes.Code]error{
	codes.InvalidArgument:    ErrInvalidRequest,
	codes.NotFound:           ErrNotFound,
	codes.AlreadyExists:      ErrAlreadyExists,
	codes.FailedPrecondition: ErrFailedPrecondition,
	codes.OutOfRange:         ErrOutOfRange,
	codes.Unauthenticated:    ErrUnauthenticated,
	codes.PermissionDenied:   ErrPermissionDenied,
	codes.ResourceExhausted:  ErrResourceExhausted,
	codes.Unavailable:        ErrUnavailable,
	codes.Unimplemented:      ErrNotImplemented,
	codes.Internal:           ErrInternal,
	codes.DataLoss:           ErrInternal,
}

// Violation is one wrong field of a request.
type Violation struct {
	// Path of the field, such as "experiment.evaluators[2].http.url".
	Path string
	// Description of what is wrong with it.
	Description string
}

// String returns the path and what is wrong, on one line.
func (v Violation) String() string {
	if v.Path == "" {
		return v.Description
	}
	return v.Path + ": " + v.Description
}

// Error is a call that failed. Get it with [errors.As]; match its kind with [errors.Is] and [ErrNotFound] and its like.
// A call whose context ended matches [context.Canceled] or [context.DeadlineExceeded]. What goes wrong later, with an
// item or an evaluator, is data: see [Failure].
type Error struct {
	// Code is the gRPC status code.
	Code codes.Code
	// Message is one sentence for a person.
	Message string
	// Reason is a stable name, such as "EXPERIMENT_NOT_FOUND"; empty if the error does not come from an evalrpc server.
	Reason string
	// Metadata holds the facts in the message, by name.
	Metadata map[string]string
	// Violations are the wrong fields, up to 20.
	Violations []Violation
	// RetryAfter is the pause that the server suggests before another try; 0 if it suggests none.
	RetryAfter time.Duration
	// RequestID is the id under which the call stands in the server's log.
	RequestID string

	kind error // ErrUnreachable, ErrWatchInterrupted or nil
}

// Error returns the message, or the violations where there are several, and the reason.
func (e *Error) Error() string {
	text := e.Message
	if len(e.Violations) > 1 {
		text = strings.Join(mapped(e.Violations, Violation.String), "; ")
	}
	text = "evalrpc: " + text
	if e.Reason != "" {
		text += " [" + e.Reason + "]"
	}
	return text
}

// Is tells whether target is the error's kind.
func (e *Error) Is(target error) bool {
	switch target {
	case nil:
		return false
	case e.kind, kinds[e.Code]:
		return true
	case context.Canceled:
		return e.Code == codes.Canceled
	case context.DeadlineExceeded:
		return e.Code == codes.DeadlineExceeded
	}
	return false
}

// IsNotFound tells whether something that the request names does not exist.
func IsNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// IsInvalidRequest tells whether the request is wrong.
func IsInvalidRequest(err error) bool { return errors.Is(err, ErrInvalidRequest) }

// IsUnavailable tells whether no server answers, or it is about to shut down.
func IsUnavailable(err error) bool { return errors.Is(err, ErrUnavailable) }

// IsNotImplemented tells whether this server does not support the call.
func IsNotImplemented(err error) bool { return errors.Is(err, ErrNotImplemented) }

// Reason returns the stable name of why a call failed; empty if err is no [Error], or comes from no evalrpc server.
func Reason(err error) string {
	var failure *Error
	if errors.As(err, &failure) {
		return failure.Reason
	}
	return ""
}

// invalid returns the error for a request that is wrong before anything was sent.
func invalid(violations ...Violation) *Error {
	message := fmt.Sprintf("%d fields are wrong", len(violations))
	if len(violations) == 1 {
		message = violations[0].String()
	}
	return &Error{Code: codes.InvalidArgument, Reason: "INVALID_FIELD", Message: message, Violations: violations}
}
