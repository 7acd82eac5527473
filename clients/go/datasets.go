package evalrpc

import (
	"context"
	"fmt"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// Dataset is a dataset in Langfuse.
type Dataset struct {
	// ID of the dataset.
	ID string
	// Name of the dataset.
	Name string
	// Description of the dataset.
	Description string
	// Metadata of the dataset.
	Metadata JSON
	// InputSchema is the JSON Schema of its inputs.
	InputSchema JSON
	// ExpectedOutputSchema is the JSON Schema of its expected outputs.
	ExpectedOutputSchema JSON
	// CreateTime is when it was made.
	CreateTime time.Time
	// UpdateTime is when it was last changed.
	UpdateTime time.Time
	// URL of its page in Langfuse.
	URL string
}

// DatasetItem is an item of a dataset in Langfuse.
type DatasetItem struct {
	// ID of the item.
	ID string
	// DatasetID of its dataset.
	DatasetID string
	// Input; absent if there is none.
	Input JSON
	// ExpectedOutput; absent if there is none.
	ExpectedOutput JSON
	// Metadata; absent if there is none.
	Metadata JSON
	// SourceTraceID is the trace that it was made from.
	SourceTraceID string
	// SourceObservationID is the observation that it was made from.
	SourceObservationID string
	// CreateTime is when it was made.
	CreateTime time.Time
	// UpdateTime is when it was last changed.
	UpdateTime time.Time
}

// GetDataset returns a dataset of a Langfuse project; the project may be empty where the server has one alone.
func (c *Client) GetDataset(ctx context.Context, name, project string) (*Dataset, error) {
	request := &evalrpcv1.GetDatasetRequest{
		Name: name, LangfuseProject: project, JsonEncoding: evalrpcv1.JsonEncoding_JSON_ENCODING_TEXT,
	}
	response, err := call(ctx, c, c.datasets.GetDataset, request)
	if err != nil {
		return nil, err
	}
	message := response.GetDataset()
	return &Dataset{
		ID:                   message.GetId(),
		Name:                 message.GetName(),
		Description:          message.GetDescription(),
		Metadata:             jsonFromMessage(message.GetMetadata()),
		InputSchema:          jsonFromMessage(message.GetInputSchema()),
		ExpectedOutputSchema: jsonFromMessage(message.GetExpectedOutputSchema()),
		CreateTime:           timeOf(message.GetCreateTime()),
		UpdateTime:           timeOf(message.GetUpdateTime()),
		URL:                  message.GetUrl(),
	}, nil
}

// ListDatasetItems yields the items of a dataset of a Langfuse project as an experiment would read them.
func (c *Client) ListDatasetItems(ctx context.Context, dataset LangfuseDataset, project string) iter.Seq2[*DatasetItem, error] {
	message, err := dataset.toMessage()
	if err != nil {
		return failing[*DatasetItem](err)
	}
	type stream = interface {
		Recv() (*evalrpcv1.ListDatasetItemsResponse, error)
	}
	open := func(ctx context.Context) (stream, error) {
		return c.datasets.ListDatasetItems(ctx, &evalrpcv1.ListDatasetItemsRequest{
			LangfuseDataset: message, LangfuseProject: project, JsonEncoding: evalrpcv1.JsonEncoding_JSON_ENCODING_TEXT,
		})
	}
	return streamed(ctx, c, open, datasetItemFromMessage)
}

func datasetItemFromMessage(response *evalrpcv1.ListDatasetItemsResponse) *DatasetItem {
	message := response.GetItem()
	return &DatasetItem{
		ID:                  message.GetId(),
		DatasetID:           message.GetDatasetId(),
		Input:               jsonFromMessage(message.GetInput()),
		ExpectedOutput:      jsonFromMessage(message.GetExpectedOutput()),
		Metadata:            jsonFromMessage(message.GetMetadata()),
		SourceTraceID:       message.GetSourceTraceId(),
		SourceObservationID: message.GetSourceObservationId(),
		CreateTime:          timeOf(message.GetCreateTime()),
		UpdateTime:          timeOf(message.GetUpdateTime()),
	}
}

// DatasetItemLink ties a trace of the caller's own to a dataset item, as part of a run.
type DatasetItemLink struct {
	// Project of Langfuse. Default: the only one that the server has.
	Project string
	// DatasetName of the dataset. Required.
	DatasetName string
	// DatasetItemID of the item. Required.
	DatasetItemID string
	// RunName of the run, which comes into being with its first trace. Required.
	RunName string
	// RunDescription of the run.
	RunDescription string
	// RunMetadata of the run.
	RunMetadata map[string]any
	// TraceID, 32 hexadecimal digits. Required.
	TraceID string
	// ObservationID that stands for the item's result, 16 hexadecimal digits. Required.
	ObservationID string
	// DatasetVersion that the item was read from; zero for none in particular.
	DatasetVersion time.Time
}

// LinkedDatasetItem is what ties a trace to a dataset item.
type LinkedDatasetItem struct {
	// DatasetRunID is the experiment's id in Langfuse; run scores go to it.
	DatasetRunID string
	// DatasetRunItemID; empty where this Langfuse has none.
	DatasetRunItemID string
	// SpanAttributes to set on every span of the trace.
	SpanAttributes map[string]string
	// URL of the run's page in Langfuse.
	URL string
}

// LinkDatasetItem ties a trace to a dataset item.
func (c *Client) LinkDatasetItem(ctx context.Context, link DatasetItemLink) (*LinkedDatasetItem, error) {
	request := &evalrpcv1.LinkDatasetItemRequest{
		LangfuseProject: link.Project,
		DatasetName:     link.DatasetName,
		DatasetItemId:   link.DatasetItemID,
		RunName:         link.RunName,
		RunDescription:  link.RunDescription,
		TraceId:         link.TraceID,
		ObservationId:   link.ObservationID,
	}
	if !link.DatasetVersion.IsZero() {
		request.DatasetVersion = timestamppb.New(link.DatasetVersion)
	}
	if link.RunMetadata != nil {
		metadata, err := structpb.NewStruct(link.RunMetadata)
		if err != nil {
			return nil, invalid(Violation{"run_metadata", err.Error()})
		}
		request.RunMetadata = metadata
	}
	response, err := call(ctx, c, c.datasets.LinkDatasetItem, request)
	if err != nil {
		return nil, err
	}
	return &LinkedDatasetItem{
		DatasetRunID:     response.GetDatasetRunId(),
		DatasetRunItemID: response.GetDatasetRunItemId(),
		SpanAttributes:   response.GetSpanAttributes(),
		URL:              response.GetUrl(),
	}, nil
}

// scorePath names a field of a score in a request.
func scorePath(index int, field string) string { return fmt.Sprintf("scores[%d].%s", index, field) }
