// The twelve steps over grpc-go: go run . [URL] [FILE]
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	clusters "shoal/clusters/v1"
	rag "shoal/rag/v1"
)

// each calls `with` for every message of a stream and returns why it ended early, if it did.
func each[M any](next func() (M, error), with func(M)) error {
	for {
		message, err := next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		with(message)
	}
}

// must ends the program with the error of a call that has to work.
func must[T any](answer T, err error) T {
	check(err)
	return answer
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Steps 1 to 6: a file becomes an index. Returns the project's id.
func fileToIndex(ctx context.Context, shoal *Shoal, file string) string {
	fmt.Println("1 health:", must(rag.NewServiceInfoServiceClient(shoal).GetHealth(ctx, &rag.GetHealthRequest{})).Status)
	projects := rag.NewProjectServiceClient(shoal)
	project := must(projects.CreateProject(ctx, &rag.CreateProjectRequest{Name: proto.String("Scenario")}))
	fmt.Println("2 project:", project.Name)
	version := upload(ctx, shoal, project.ProjectId, file).DocumentVersion
	fmt.Println("3 uploaded:", version.ContentHash)
	segments := rag.NewSegmentSetServiceClient(shoal)
	set := must(segments.CreateSegmentSet(ctx, &rag.CreateSegmentSetRequest{
		VersionId:  proto.String(version.VersionId),
		LoaderType: proto.String("markdown"),
	}))
	ofSet := &rag.ReadSegmentItemsRequest{SegmentSetId: proto.String(set.SegmentSetVersionId)}
	fmt.Println("4 segments:", count(must(segments.ReadSegmentItems(ctx, ofSet)).Recv))
	chunks := rag.NewChunkSetServiceClient(shoal)
	cut := must(chunks.CreateChunkSet(ctx, &rag.CreateChunkSetRequest{SegmentSetId: proto.String(set.SegmentSetVersionId)}))
	ofCut := &rag.ReadChunkItemsRequest{ChunkSetId: proto.String(cut.ChunkSetVersionId)}
	fmt.Println("5 chunks:", count(must(chunks.ReadChunkItems(ctx, ofCut)).Recv))
	fmt.Println("6 job:", build(ctx, shoal, project.ProjectId, cut.ChunkSetVersionId))
	return project.ProjectId
}

func upload(ctx context.Context, shoal *Shoal, projectID, file string) *rag.UploadDocumentResponse {
	parts := must(rag.NewDocumentServiceClient(shoal).ImportDocument(ctx))
	info := &rag.DocumentInfo{ProjectId: proto.String(projectID), Filename: proto.String(filepath.Base(file))}
	check(parts.Send(&rag.ImportDocumentRequest{Content: &rag.ImportDocumentRequest_Info{Info: info}}))
	data := must(os.ReadFile(file))
	check(parts.Send(&rag.ImportDocumentRequest{Content: &rag.ImportDocumentRequest_Data{Data: data}}))
	return must(parts.CloseAndRecv())
}

func count(next func() (*rag.ItemColumns, error)) int {
	found := 0
	check(each(next, func(part *rag.ItemColumns) { found += len(part.ItemId) }))
	return found
}

// build makes an index and watches the job to its end; a watch lasts a minute at most and goes on with its token.
func build(ctx context.Context, shoal *Shoal, projectID, chunkSetID string) string {
	indexes := rag.NewIndexServiceClient(shoal)
	index := must(indexes.CreateIndex(ctx, &rag.CreateIndexRequest{
		ProjectId: proto.String(projectID),
		Name:      proto.String("Scenario"),
		Provider:  proto.String("faiss"),
	}))
	building := must(indexes.CreateIndexBuild(ctx, &rag.CreateIndexBuildRequest{
		IndexId:           proto.String(index.IndexId),
		ChunkSetVersionId: proto.String(chunkSetID),
		ExecutionMode:     proto.String("async"),
	}))
	watch, state := &rag.WatchJobRequest{JobId: building.JobId}, "queued"
	for state != "succeeded" && state != "failed" {
		states := must(rag.NewJobServiceClient(shoal).WatchJob(ctx, watch))
		check(each(states.Recv, func(seen *rag.WatchJobResponse) {
			watch.ResumeToken, state = proto.String(seen.ResumeToken), seen.Job.Status
		}))
	}
	return state
}

// Step 7: the pages of a stream.
func retrieve(ctx context.Context, shoal *Shoal, projectID string) {
	request := &rag.RetrieveRequest{
		ProjectId: proto.String(projectID),
		Query:     proto.String("keeper lamp"),
		Strategy:  &rag.RetrievalStrategy{Type: proto.String("bm25"), K: proto.Int32(3)},
		Limit:     proto.Int32(2),
	}
	retrieval := rag.NewRetrievalServiceClient(shoal)
	pages := must(retrieval.RetrieveStream(ctx, &rag.RetrieveStreamRequest{Retrieve: request}))
	check(each(pages.Recv, func(page *rag.RetrieveResponse) {
		fmt.Println("7 page:", len(page.Items), "of", page.Total)
	}))
}

func document(i int) *clusters.UpsertDocument {
	values := []float32{0, 0, 0, float32(i) / 1000}
	values[i%3] = 1
	return &clusters.UpsertDocument{
		DocumentId:   proto.String(fmt.Sprintf("d%d", i)),
		DenseVectors: map[string]*clusters.DenseVector{"embedding": {Values: values}},
	}
}

// Steps 8 and 9: vectors become groups. Returns the cluster's id.
func vectorsToGroups(ctx context.Context, shoal *Shoal) string {
	name := fmt.Sprintf("scenario_%x", time.Now().UnixNano())
	collections := clusters.NewCollectionServiceClient(shoal)
	collection := must(collections.CreateCollection(ctx, &clusters.CreateCollectionRequest{CollectionName: &name}))
	upsert := &clusters.UpsertDocumentsRequest{
		NamespaceId:  proto.String("default"),
		CollectionId: proto.String(collection.CollectionId),
	}
	for i := 0; i < 60; i++ {
		upsert.Documents = append(upsert.Documents, document(i))
	}
	documents := clusters.NewCollectionDocumentServiceClient(shoal)
	fmt.Println("8 upserted:", must(documents.UpsertDocuments(ctx, upsert)).Inserted)
	service := clusters.NewClusterServiceClient(shoal)
	cluster := must(service.CreateCluster(ctx, &clusters.CreateClusterRequest{
		ClusterName:   &name,
		CollectionIds: []string{collection.CollectionId},
		VectorConfig: &clusters.VectorClustering{
			ClusteringMethod: proto.String("kmeans"),
			AlgorithmParams:  must(structpb.NewStruct(map[string]interface{}{"n_clusters": 3})),
		},
	}))
	wait(ctx, shoal, must(service.ExecuteCluster(ctx, &clusters.ExecuteClusterRequest{ClusterId: &cluster.ClusterId})))
	groups := must(service.GetClusterGroups(ctx, &clusters.GetClusterGroupsRequest{ClusterId: &cluster.ClusterId})).Groups
	sizes := make([]int, len(groups))
	for i, group := range groups {
		sizes[i] = int(group.MemberCount)
	}
	sort.Ints(sizes)
	fmt.Println("9 groups:", strings.Trim(fmt.Sprint(sizes), "[]"))
	return cluster.ClusterId
}

func wait(ctx context.Context, shoal *Shoal, task *clusters.Task) {
	working := map[string]bool{"PENDING": true, "QUEUED": true, "IN_PROGRESS": true, "PROCESSING": true}
	for working[task.Status] {
		time.Sleep(100 * time.Millisecond)
		task = must(clusters.NewTaskServiceClient(shoal).GetTask(ctx, &clusters.GetTaskRequest{TaskId: &task.TaskId}))
	}
}

// Steps 10 and 11: members in columns, and the run as a file.
func results(ctx context.Context, shoal *Shoal, clusterID string) {
	artifacts := clusters.NewArtifactServiceClient(shoal)
	request := &clusters.StreamMembersRequest{ClusterId: &clusterID, Format: proto.String("lists")}
	members, columns := must(artifacts.StreamMembers(ctx, request)), &clusters.MemberColumns{}
	check(each(members.Recv, func(part *clusters.StreamMembersResponse) { proto.Merge(columns, part.Lists) }))
	fmt.Println("10 members:", len(columns.PointId))
	link := must(artifacts.GetExportLink(ctx, &clusters.GetExportLinkRequest{ClusterId: &clusterID}))
	token := link.Url[strings.LastIndex(link.Url, "/")+1:]
	file := must(artifacts.DownloadFile(ctx, &clusters.DownloadFileRequest{Token: &token}))
	hash := sha256.New()
	check(each(file.Recv, func(part *httpbody.HttpBody) { hash.Write(part.Data) }))
	verdict := map[bool]string{true: "right", false: "wrong"}[hex.EncodeToString(hash.Sum(nil)) == link.Sha256]
	fmt.Println("11 parquet: hash is", verdict)
}

// Step 12: a request that breaks a rule of the contract.
func failure(ctx context.Context, shoal *Shoal) {
	_, err := rag.NewProjectServiceClient(shoal).CreateProject(ctx, &rag.CreateProjectRequest{})
	reason := ""
	for _, detail := range status.Convert(err).Details() {
		switch found := detail.(type) {
		case *errdetails.ErrorInfo:
			reason = found.Reason
		case *errdetails.BadRequest:
			for _, one := range found.FieldViolations {
				fmt.Printf("12 error: %s %s: %s\n", reason, one.Field, one.Description)
			}
		}
	}
}

func main() {
	flag.Parse()
	url, file := "http://127.0.0.1:8000", "../scenario/notes.md"
	if flag.NArg() > 0 {
		url = flag.Arg(0)
	}
	if flag.NArg() > 1 {
		file = flag.Arg(1)
	}
	shoal := must(Connect(url, os.Getenv("SHOAL_API_KEY")))
	defer shoal.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	retrieve(ctx, shoal, fileToIndex(ctx, shoal, file))
	results(ctx, shoal, vectorsToGroups(ctx, shoal))
	failure(ctx, shoal)
}
