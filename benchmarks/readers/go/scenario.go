// Reads the member stream: scenario URL FORMAT prints rows and the seconds of the quickest of four.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"time"

	"google.golang.org/protobuf/proto"

	clusters "shoal/clusters/v1"
)

func read(shoal *Shoal, format string) (int, error) {
	request := &clusters.StreamMembersRequest{ClusterId: proto.String("c"), Format: proto.String(format)}
	members, err := clusters.NewArtifactServiceClient(shoal).StreamMembers(context.Background(), request)
	rows := 0
	for err == nil {
		var part *clusters.StreamMembersResponse
		if part, err = members.Recv(); err == nil {
			rows += len(part.Lists.PointId)
		}
	}
	if err != io.EOF {
		return 0, err
	}
	return rows, nil
}

func main() {
	shoal, err := Connect(os.Args[1], "")
	if err != nil {
		log.Fatal(err)
	}
	rows, best := 0, math.Inf(1)
	for i := 0; i < 4; i++ {
		began := time.Now()
		if rows, err = read(shoal, os.Args[2]); err != nil {
			log.Fatal(err)
		}
		best = math.Min(best, time.Since(began).Seconds())
	}
	fmt.Println(rows, best)
}
