package evalrpc_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// hostedDatasets answers as a server with Langfuse does, and notes what it is asked.
type hostedDatasets struct {
	evalrpcv1.UnimplementedDatasetServiceServer
	listed *evalrpcv1.ListDatasetItemsRequest
	linked *evalrpcv1.LinkDatasetItemRequest
	scored *evalrpcv1.CreateScoresRequest
}

func text(document string) *evalrpcv1.Json {
	return &evalrpcv1.Json{Kind: &evalrpcv1.Json_Text{Text: document}}
}

func (h *hostedDatasets) GetDataset(
	_ context.Context, request *evalrpcv1.GetDatasetRequest,
) (*evalrpcv1.GetDatasetResponse, error) {
	return &evalrpcv1.GetDatasetResponse{Dataset: &evalrpcv1.Dataset{
		Id: "ds-1", Name: request.GetName(), Metadata: text(`{"k":1}`), CreateTime: timestamppb.New(time.Unix(1, 0)),
	}}, nil
}

func (h *hostedDatasets) ListDatasetItems(
	request *evalrpcv1.ListDatasetItemsRequest, stream grpc.ServerStreamingServer[evalrpcv1.ListDatasetItemsResponse],
) error {
	h.listed = request
	for _, id := range []string{"a", "b"} {
		item := &evalrpcv1.DatasetItem{Id: id, Input: text(`9007199254740993`)}
		if err := stream.Send(&evalrpcv1.ListDatasetItemsResponse{Item: item}); err != nil {
			return err
		}
	}
	if request.GetLangfuseProject() == "broken" {
		return status.Error(codes.Unavailable, "Langfuse does not answer")
	}
	return nil
}

func (h *hostedDatasets) LinkDatasetItem(
	_ context.Context, request *evalrpcv1.LinkDatasetItemRequest,
) (*evalrpcv1.LinkDatasetItemResponse, error) {
	h.linked = request
	return &evalrpcv1.LinkDatasetItemResponse{DatasetRunId: "run-1", SpanAttributes: map[string]string{"a": "b"}}, nil
}

func (h *hostedDatasets) CreateScores(
	_ context.Context, request *evalrpcv1.CreateScoresRequest,
) (*evalrpcv1.CreateScoresResponse, error) {
	h.scored = request
	return &evalrpcv1.CreateScoresResponse{Receipts: []*evalrpcv1.ScoreReceipt{
		{Id: "s-1", Delivery: evalrpcv1.ScoreDelivery_SCORE_DELIVERY_ACCEPTED},
		{Id: "s-2", Delivery: evalrpcv1.ScoreDelivery_SCORE_DELIVERY_REJECTED, Error: &evalrpcv1.Error{Reason: "LANGFUSE_REJECTED"}},
	}}, nil
}

func hosted(t *testing.T) (*hostedDatasets, *evalrpc.Client) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	made := &hostedDatasets{}
	server := grpc.NewServer()
	evalrpcv1.RegisterDatasetServiceServer(server, made)
	go func() { _ = server.Serve(listener) }() // ends with Stop
	t.Cleanup(server.Stop)
	return made, connectTo(t, listener.Addr().String())
}

func TestHostedDatasetsAreRead(t *testing.T) {
	server, client := hosted(t)
	dataset, err := client.GetDataset(within(t), "geography/capitals", "")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "name", dataset.Name, "geography/capitals")
	equal(t, "metadata", dataset.Metadata, evalrpc.JSON(`{"k":1}`))
	equal(t, "created", dataset.CreateTime.Unix(), 1)

	seed := 7
	selection := evalrpc.LangfuseDataset{
		Name: "geography/capitals", ShuffleSeed: &seed, SampleSize: 2, SampleSeed: 3, Limit: 5,
		MetadataEquals: map[string]any{"continent": "Europe"}, Version: time.Unix(2, 0), ItemIDs: []string{"a", "b"},
	}
	items := all(t, client.ListDatasetItems(within(t), selection, "default"))
	equal(t, "items", len(items), 2)
	equal(t, "input", items[1].Input, evalrpc.JSON("9007199254740993"))
	asked := server.listed.GetLangfuseDataset()
	equal(t, "shuffle", asked.GetShuffle().GetSeed(), 7)
	equal(t, "sample", asked.GetSample().GetSize(), 2)
	equal(t, "metadata", asked.GetMetadataEquals().AsMap()["continent"], any("Europe"))

	count := 0
	for _, err = range client.ListDatasetItems(within(t), evalrpc.LangfuseDataset{Name: "x"}, "broken") {
		count++
	}
	if count != 3 || !evalrpc.IsUnavailable(err) {
		t.Errorf("%d items, then %v", count-1, err)
	}
}

func TestTracesAreLinkedAndScored(t *testing.T) {
	server, client := hosted(t)
	linked, err := client.LinkDatasetItem(within(t), evalrpc.DatasetItemLink{
		DatasetName: "capitals", DatasetItemID: "a", RunName: "r", RunMetadata: map[string]any{"model": "small"},
		TraceID: "0123456789abcdef0123456789abcdef", ObservationID: "0123456789abcdef",
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "run", linked.DatasetRunID, "run-1")
	equal(t, "attribute", linked.SpanAttributes["a"], "b")
	equal(t, "model", server.linked.GetRunMetadata().AsMap()["model"], any("small"))

	receipts, err := client.CreateScores(within(t), []evalrpc.Score{
		{Name: "accuracy", TraceID: "0123456789abcdef0123456789abcdef", Value: evalrpc.Number(0.5)},
		{Name: "tone", DatasetRunID: linked.DatasetRunID, Value: evalrpc.Label("dry"), Time: time.Unix(3, 0)},
	}, evalrpc.CreateScoresOptions{Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "first", receipts[0].Delivery, evalrpc.DeliveryAccepted)
	equal(t, "second", receipts[1].Failure.Reason, "LANGFUSE_REJECTED")
	equal(t, "number", server.scored.GetScores()[0].GetNumber(), 0.5)
	equal(t, "run", server.scored.GetScores()[1].GetDatasetRunId(), "run-1")

	for path, score := range map[string]evalrpc.Score{
		"scores[0].value":   {Name: "x", TraceID: "t"},
		"scores[0].subject": {Name: "x", TraceID: "t", DatasetRunID: "r", Value: evalrpc.Boolean(true)},
	} {
		_, err := client.CreateScores(within(t), []evalrpc.Score{score}, evalrpc.CreateScoresOptions{})
		if !evalrpc.IsInvalidRequest(err) || failure(t, err).Violations[0].Path != path {
			t.Error(err)
		}
	}
}

func TestAServerWithoutLangfuseSaysSo(t *testing.T) {
	client := connect(t)
	_, err := client.GetDataset(within(t), "capitals", "")
	if evalrpc.Reason(err) != "LANGFUSE_NOT_CONFIGURED" {
		t.Error(err)
	}
	for _, err := range client.ListDatasetItems(within(t), evalrpc.LangfuseDataset{Name: "capitals"}, "") {
		if evalrpc.Reason(err) != "LANGFUSE_NOT_CONFIGURED" {
			t.Error(err)
		}
	}
}
