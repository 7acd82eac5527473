package evalrpc

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// Score is one score to write to Langfuse, of a trace, of an observation in it, or of a dataset run.
type Score struct {
	// ID of the score; one written twice under the same id exists once. Default: derived from the content.
	ID string
	// Name of the score. Required.
	Name string
	// TraceID of what is scored, 32 hexadecimal digits. Exactly one of it and DatasetRunID is required.
	TraceID string
	// ObservationID in the trace, 16 hexadecimal digits. Default: the trace as a whole.
	ObservationID string
	// DatasetRunID of the run that is scored.
	DatasetRunID string
	// Value: a [Number], a [Boolean] or a [Label]. Required.
	Value Value
	// Comment explains it.
	Comment string
	// Metadata holds further facts, a JSON object.
	Metadata JSON
	// ConfigID is the id of the score config that the value obeys.
	ConfigID string
	// Time of the verdict. Default: when the call arrived.
	Time time.Time
	// Environment, which should be that of the trace. Default: "sdk-experiment".
	Environment string
}

// ScoreDelivery is how far a score is on its way.
type ScoreDelivery string

// How far a score can be: stored and not answered for yet, accepted by Langfuse, or refused for good.
const (
	DeliveryQueued   ScoreDelivery = "QUEUED"
	DeliveryAccepted ScoreDelivery = "ACCEPTED"
	DeliveryRejected ScoreDelivery = "REJECTED"
)

// ScoreReceipt is what became of a score.
type ScoreReceipt struct {
	// ID of the score, given or by default.
	ID string
	// Delivery so far.
	Delivery ScoreDelivery
	// Failure says why Langfuse refused it, or what has kept it so far; nil if nothing has.
	Failure *Failure
}

// CreateScoresOptions say how to write scores.
type CreateScoresOptions struct {
	// Project of Langfuse. Default: the only one that the server has.
	Project string
	// Wait until Langfuse has answered for each, or the call's time is nearly over.
	Wait bool
}

// CreateScores writes scores, and returns once they are stored on the server, which delivers them for as long as it takes.
// The receipts are in the order of the scores.
func (c *Client) CreateScores(ctx context.Context, scores []Score, options CreateScoresOptions) ([]ScoreReceipt, error) {
	request := &evalrpcv1.CreateScoresRequest{LangfuseProject: options.Project, Wait: options.Wait}
	for i, score := range scores {
		message, err := score.toMessage(i)
		if err != nil {
			return nil, err
		}
		request.Scores = append(request.Scores, message)
	}
	response, err := call(ctx, c, c.datasets.CreateScores, request)
	if err != nil {
		return nil, err
	}
	return mapped(response.GetReceipts(), func(receipt *evalrpcv1.ScoreReceipt) ScoreReceipt {
		delivery := strings.TrimPrefix(receipt.GetDelivery().String(), "SCORE_DELIVERY_")
		return ScoreReceipt{receipt.GetId(), ScoreDelivery(delivery), failureFromMessage(receipt.GetError())}
	}), nil
}

func (s Score) toMessage(index int) (*evalrpcv1.Score, error) {
	message := &evalrpcv1.Score{
		Id: s.ID, Name: s.Name, Comment: s.Comment, Metadata: s.Metadata.toMessage(), ConfigId: s.ConfigID,
		Environment: s.Environment,
	}
	switch value := s.Value.(type) {
	case Number:
		message.Value = &evalrpcv1.Score_Number{Number: float64(value)}
	case Boolean:
		message.Value = &evalrpcv1.Score_Boolean{Boolean: bool(value)}
	case Label:
		message.Value = &evalrpcv1.Score_Label{Label: string(value)}
	default:
		return nil, invalid(Violation{scorePath(index, "value"), "must be a Number, a Boolean or a Label"})
	}
	switch {
	case s.TraceID != "" && s.DatasetRunID != "":
		return nil, invalid(Violation{scorePath(index, "subject"), "must be a trace or a dataset run, not both"})
	case s.DatasetRunID != "":
		message.Subject = &evalrpcv1.Score_DatasetRunId{DatasetRunId: s.DatasetRunID}
	default:
		message.Subject = &evalrpcv1.Score_Trace{
			Trace: &evalrpcv1.ScoredTrace{TraceId: s.TraceID, ObservationId: s.ObservationID},
		}
	}
	if !s.Time.IsZero() {
		message.Time = timestamppb.New(s.Time)
	}
	return message, nil
}
