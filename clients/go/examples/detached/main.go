// Command detached starts an experiment, and follows it later by its id.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/evalrpc/evalrpc/clients/go"
)

func main() {
	client, err := evalrpc.NewClient("")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	started, err := client.Start(ctx, evalrpc.RunOptions{
		Name: "Detached", Data: evalrpc.Items{{Input: 1}}, Task: evalrpc.WorkerTask{Function: "nobody hosts this"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("started, now", started.State)
	if _, err := client.Cancel(ctx, started.ID); err != nil {
		log.Fatal(err)
	}
	watched := client.Watch(ctx, started.ID, evalrpc.WatchOptions{AfterSequence: 1})
	defer watched.Close()
	for event, err := range watched.Events() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("event", event.Sequence)
	}
	for experiment, err := range client.List(ctx, evalrpc.ListOptions{Name: "Detached"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(experiment.Name, "is", experiment.State)
	}
	result, err := client.Result(ctx, started.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(result.ItemResults), "items came so far as to have a result")
}
