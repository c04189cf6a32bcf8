import com.google.gson.Gson;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import shoal.clusters.v1.*;
import shoal.clusters.v1.ArtifactServiceGrpc;
import shoal.rag.v1.*;

/** The twelve steps in Java: java Scenario [URL] [FILE]. */
public final class Scenario {
  private static final Set<String> WORKING = Set.of("PENDING", "QUEUED", "IN_PROGRESS", "PROCESSING");

  private final ManagedChannel channel;
  private final Metadata key = new Metadata();

  private Scenario(String url, String secret) throws Exception {
    URI address = URI.create(url);
    var credentials =
        "https".equals(address.getScheme()) ? TlsChannelCredentials.create() : InsecureChannelCredentials.create();
    Path contract = Path.of(System.getenv().getOrDefault("SHOAL_CONTRACT", "../../../gen/clients"));
    @SuppressWarnings("unchecked")
    Map<String, ?> retries = new Gson().fromJson(Files.readString(contract.resolve("service_config.json")), Map.class);
    int port = address.getPort() < 0 ? address.toURL().getDefaultPort() : address.getPort();
    channel =
        Grpc.newChannelBuilderForAddress(address.getHost(), port, credentials)
            .defaultServiceConfig(retries)
            .enableRetry()
            .keepAliveTime(30, TimeUnit.SECONDS)
            .maxInboundMessageSize(64 * 1024 * 1024)
            .build();
    if (secret != null)
      key.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + secret);
  }

  /** Gives a stub the key and a deadline that starts now. */
  private <S extends AbstractStub<S>> S ready(S stub) {
    return stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(key)).withDeadlineAfter(600, TimeUnit.SECONDS);
  }

  /** Steps 1 to 6: a file becomes an index. Returns the project's id. */
  private String fileToIndex(Path file) throws Exception {
    var service = ready(ServiceInfoServiceGrpc.newBlockingStub(channel));
    System.out.println("1 health: " + service.getHealth(GetHealthRequest.getDefaultInstance()).getStatus());
    var projects = ready(ProjectServiceGrpc.newBlockingStub(channel));
    var project = projects.createProject(CreateProjectRequest.newBuilder().setName("Scenario").build());
    System.out.println("2 project: " + project.getName());
    var version = upload(project.getProjectId(), file).getDocumentVersion();
    System.out.println("3 uploaded: " + version.getContentHash());
    var segments = ready(SegmentSetServiceGrpc.newBlockingStub(channel));
    var set =
        segments.createSegmentSet(
            CreateSegmentSetRequest.newBuilder().setVersionId(version.getVersionId()).setLoaderType("markdown").build());
    var ofSet = ReadSegmentItemsRequest.newBuilder().setSegmentSetId(set.getSegmentSetVersionId()).build();
    System.out.println("4 segments: " + count(segments.readSegmentItems(ofSet)));
    var chunks = ready(ChunkSetServiceGrpc.newBlockingStub(channel));
    var cut =
        chunks.createChunkSet(
            CreateChunkSetRequest.newBuilder().setSegmentSetId(set.getSegmentSetVersionId()).build());
    var ofCut = ReadChunkItemsRequest.newBuilder().setChunkSetId(cut.getChunkSetVersionId()).build();
    System.out.println("5 chunks: " + count(chunks.readChunkItems(ofCut)));
    System.out.println("6 job: " + build(project.getProjectId(), cut.getChunkSetVersionId()));
    return project.getProjectId();
  }

  private UploadDocumentResponse upload(String projectId, Path file) throws Exception {
    var answer = new CompletableFuture<UploadDocumentResponse>();
    var parts =
        ready(DocumentServiceGrpc.newStub(channel))
            .importDocument(
                new StreamObserver<UploadDocumentResponse>() {
                  @Override
                  public void onNext(UploadDocumentResponse response) {
                    answer.complete(response);
                  }

                  @Override
                  public void onError(Throwable failure) {
                    answer.completeExceptionally(failure);
                  }

                  @Override
                  public void onCompleted() {}
                });
    var info = DocumentInfo.newBuilder().setProjectId(projectId).setFilename(file.getFileName().toString());
    parts.onNext(ImportDocumentRequest.newBuilder().setInfo(info).build());
    parts.onNext(ImportDocumentRequest.newBuilder().setData(ByteString.copyFrom(Files.readAllBytes(file))).build());
    parts.onCompleted();
    return answer.get();
  }

  private static int count(Iterator<ItemColumns> parts) {
    int found = 0;
    while (parts.hasNext()) found += parts.next().getItemIdCount();
    return found;
  }

  /** Builds an index and watches the job to its end; a watch lasts a minute at most and goes on with its token. */
  private String build(String projectId, String chunkSetId) {
    var indexes = ready(IndexServiceGrpc.newBlockingStub(channel));
    var index =
        indexes.createIndex(
            CreateIndexRequest.newBuilder().setProjectId(projectId).setName("Scenario").setProvider("faiss").build());
    var building =
        indexes.createIndexBuild(
            CreateIndexBuildRequest.newBuilder()
                .setIndexId(index.getIndexId())
                .setChunkSetVersionId(chunkSetId)
                .setExecutionMode("async")
                .build());
    var watch = WatchJobRequest.newBuilder().setJobId(building.getJobId());
    String status = "queued";
    while (!Set.of("succeeded", "failed").contains(status)) {
      var states = ready(JobServiceGrpc.newBlockingStub(channel)).watchJob(watch.build());
      while (states.hasNext()) {
        WatchJobResponse seen = states.next();
        watch.setResumeToken(seen.getResumeToken());
        status = seen.getJob().getStatus();
      }
    }
    return status;
  }

  /** Step 7: the pages of a stream. */
  private void retrieve(String projectId) {
    var request =
        RetrieveRequest.newBuilder()
            .setProjectId(projectId)
            .setQuery("keeper lamp")
            .setStrategy(RetrievalStrategy.newBuilder().setType("bm25").setK(3))
            .setLimit(2);
    ready(RetrievalServiceGrpc.newBlockingStub(channel))
        .retrieveStream(RetrieveStreamRequest.newBuilder().setRetrieve(request).build())
        .forEachRemaining(page -> System.out.println("7 page: " + page.getItemsCount() + " of " + page.getTotal()));
  }

  private static UpsertDocument document(int i) {
    var vector = DenseVector.newBuilder();
    for (int axis = 0; axis < 3; axis++) vector.addValues(i % 3 == axis ? 1 : 0);
    vector.addValues(i / 1000f);
    return UpsertDocument.newBuilder().setDocumentId("d" + i).putDenseVectors("embedding", vector.build()).build();
  }

  /** Steps 8 and 9: vectors become groups. Returns the cluster's id. */
  private String vectorsToGroups() throws Exception {
    String name = "scenario_" + UUID.randomUUID().toString().substring(0, 8);
    var collection =
        ready(CollectionServiceGrpc.newBlockingStub(channel))
            .createCollection(CreateCollectionRequest.newBuilder().setCollectionName(name).build());
    var upsert =
        UpsertDocumentsRequest.newBuilder().setNamespaceId("default").setCollectionId(collection.getCollectionId());
    for (int i = 0; i < 60; i++) upsert.addDocuments(document(i));
    var documents = ready(CollectionDocumentServiceGrpc.newBlockingStub(channel));
    System.out.println("8 upserted: " + documents.upsertDocuments(upsert.build()).getInserted());
    var params = Struct.newBuilder().putFields("n_clusters", Value.newBuilder().setNumberValue(3).build());
    var clusters = ready(ClusterServiceGrpc.newBlockingStub(channel));
    var cluster =
        clusters.createCluster(
            CreateClusterRequest.newBuilder()
                .setClusterName(name)
                .addCollectionIds(collection.getCollectionId())
                .setVectorConfig(
                    VectorClustering.newBuilder().setClusteringMethod("kmeans").setAlgorithmParams(params))
                .build());
    String clusterId = cluster.getClusterId();
    Task task = clusters.executeCluster(ExecuteClusterRequest.newBuilder().setClusterId(clusterId).build());
    while (WORKING.contains(task.getStatus())) {
      Thread.sleep(100);
      task =
          ready(TaskServiceGrpc.newBlockingStub(channel))
              .getTask(GetTaskRequest.newBuilder().setTaskId(task.getTaskId()).build());
    }
    var groups = clusters.getClusterGroups(GetClusterGroupsRequest.newBuilder().setClusterId(clusterId).build());
    System.out.println(
        groups.getGroupsList().stream()
            .map(group -> String.valueOf(group.getMemberCount()))
            .sorted()
            .collect(Collectors.joining(" ", "9 groups: ", "")));
    return clusterId;
  }

  /** Steps 10 and 11: members in columns, here as lists ("arrow" gives streams for arrow-java), and the run as a file. */
  private void results(String clusterId) throws Exception {
    var artifacts = ready(ArtifactServiceGrpc.newBlockingStub(channel));
    var wanted = StreamMembersRequest.newBuilder().setClusterId(clusterId).setFormat("lists").build();
    var columns = MemberColumns.newBuilder();
    artifacts.streamMembers(wanted).forEachRemaining(part -> columns.mergeFrom(part.getLists()));
    System.out.println("10 members: " + columns.getPointIdCount());
    ExportLink link = artifacts.getExportLink(GetExportLinkRequest.newBuilder().setClusterId(clusterId).build());
    MessageDigest hash = MessageDigest.getInstance("SHA-256");
    String token = link.getUrl().substring(link.getUrl().lastIndexOf('/') + 1);
    artifacts
        .downloadFile(DownloadFileRequest.newBuilder().setToken(token).build())
        .forEachRemaining(part -> hash.update(part.getData().asReadOnlyByteBuffer()));
    boolean isRight = HexFormat.of().formatHex(hash.digest()).equals(link.getSha256());
    System.out.println("11 parquet: hash is " + (isRight ? "right" : "wrong"));
  }

  /** Step 12: a request that breaks a rule of the contract. */
  private void error() throws Exception {
    try {
      ready(ProjectServiceGrpc.newBlockingStub(channel)).createProject(CreateProjectRequest.getDefaultInstance());
    } catch (StatusRuntimeException failed) {
      List<Any> details = StatusProto.fromThrowable(failed).getDetailsList();
      String reason = "";
      for (Any detail : details) {
        if (detail.is(ErrorInfo.class)) reason = detail.unpack(ErrorInfo.class).getReason();
        if (!detail.is(BadRequest.class)) continue;
        for (var one : detail.unpack(BadRequest.class).getFieldViolationsList())
          System.out.println("12 error: " + reason + " " + one.getField() + ": " + one.getDescription());
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    String url = arguments.length > 0 ? arguments[0] : "http://127.0.0.1:8000";
    Path file = Path.of(arguments.length > 1 ? arguments[1] : "../scenario/notes.md");
    Scenario scenario = new Scenario(url, System.getenv("SHOAL_API_KEY"));
    try {
      scenario.retrieve(scenario.fileToIndex(file));
      scenario.results(scenario.vectorsToGroups());
      scenario.error();
    } finally {
      scenario.channel.shutdownNow();
    }
  }
}
