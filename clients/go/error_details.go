package evalrpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const requestIDKey = "evalrpc-request-id"

var unreachable = regexp.MustCompile(
	`Error while dialing|name resolver error|produced zero addresses|authentication handshake failed`)

// errorFromCall returns the [Error] for a call that failed, from its status and its google.rpc details (AIP-193).
func errorFromCall(err error, trailer metadata.MD, address string) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &Error{Code: codes.Canceled, Message: "the call was cancelled"}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: codes.DeadlineExceeded, Message: "no answer came in time"}
	}
	failure := status.Convert(err)
	result := &Error{Code: failure.Code(), Message: failure.Message()}
	for _, detail := range failure.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			result.Reason, result.Metadata = detail.GetReason(), detail.GetMetadata()
		case *errdetails.RetryInfo:
			result.RetryAfter = detail.GetRetryDelay().AsDuration()
		case *errdetails.BadRequest:
			for _, each := range detail.GetFieldViolations() {
				result.Violations = append(result.Violations, Violation{each.GetField(), each.GetDescription()})
			}
		}
	}
	if values := trailer.Get(requestIDKey); len(values) > 0 {
		result.RequestID = values[0]
	}
	if result.Code == codes.Unavailable && result.Reason == "" && unreachable.MatchString(result.Message) {
		result.kind = ErrUnreachable
		result.Message = fmt.Sprintf("no evalrpc server can be reached at %s (%s); start one with "+
			"`evalrpc-server serve --listen %s`, or give another address", address, result.Message, listen(address))
	}
	return result
}

func listen(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "HOST:PORT"
	}
	_, err = strconv.ParseUint(port, 10, 16)
	if ip := net.ParseIP(host); err == nil && (host == "localhost" || (ip != nil && ip.IsLoopback())) {
		return address
	}
	return "HOST:PORT"
}
