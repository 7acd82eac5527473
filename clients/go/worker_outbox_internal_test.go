package evalrpc

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

func TestBatchesKeepTheOrderAndFitIntoMessages(t *testing.T) {
	var queue []*evalrpcv1.ServeRequest
	for i := range 100 {
		output := &evalrpcv1.RunTaskResponse{Output: JSON(strings.Repeat("x", i*1000)).toMessage()}
		report := &evalrpcv1.TaskReport{TaskToken: strings.Repeat("t", i+1), Outcome: &evalrpcv1.TaskReport_Task{Task: output}}
		queue = append(queue, reportMessage(report))
	}
	batches := batched(queue)
	if len(batches) < 4 || len(batches) > 10 {
		t.Errorf("%d batches of 5 MB", len(batches))
	}
	count := 0
	for _, batch := range batches {
		if size := proto.Size(batch); size > maxMessageBytes/2 {
			t.Errorf("a batch has %d bytes", size)
		}
		for _, request := range batch.GetBatch().GetRequests() {
			if count++; len(request.GetReport().GetTaskToken()) != count {
				t.Fatalf("report %d is in the wrong place", count)
			}
		}
	}
	if count != len(queue) {
		t.Errorf("%d of %d messages are left", count, len(queue))
	}
	if alone := batched(queue[:1]); len(alone) != 1 || alone[0] != queue[0] {
		t.Error("a message alone needs no batch")
	}
}
