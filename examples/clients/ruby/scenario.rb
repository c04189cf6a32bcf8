# frozen_string_literal: true

# The twelve steps in Ruby: ruby -I gen scenario.rb [URL] [FILE]
require "digest"
require "securerandom"
require "uri"
require "google/rpc/error_details_pb"
require "google/protobuf/well_known_types"
Dir.glob("shoal/**/*_services_pb.rb", base: "gen") { |file| require file }

RAG = Shoal::Rag::V1
CLUSTERS = Shoal::Clusters::V1
WORKING = %w[PENDING QUEUED IN_PROGRESS PROCESSING].freeze

# Makes stubs of every service over one channel, each with the deadline, the key and the retries of the contract.
class Connection
  def initialize(url, key: nil, timeout: 600)
    address = URI(url)
    credentials = address.scheme == "https" ? GRPC::Core::ChannelCredentials.new : :this_channel_is_insecure
    retries = File.read(File.join(ENV.fetch("SHOAL_CONTRACT", "../../../gen/clients"), "service_config.json"))
    @target = "#{address.host}:#{address.port}"
    options = { "grpc.service_config" => retries, "grpc.keepalive_time_ms" => 30_000,
                "grpc.max_receive_message_length" => 64 * 1024 * 1024 }
    @channel = GRPC::Core::Channel.new(@target, options, credentials)
    @options = { channel_override: @channel, timeout: timeout, interceptors: [Key.new(key: key)] }
  end

  def stub(service)
    service::Stub.new(@target, nil, **@options)
  end
end

# Adds the key to every call.
class Key < GRPC::ClientInterceptor
  def add(metadata)
    metadata["authorization"] = "Bearer #{@options[:key]}" if @options[:key]
  end

  def request_response(request:, call:, method:, metadata:)
    add(metadata)
    yield
  end

  def client_streamer(requests:, call:, method:, metadata:)
    add(metadata)
    yield
  end

  def server_streamer(request:, call:, method:, metadata:)
    add(metadata)
    yield
  end
end

# Steps 1 to 6: a file becomes an index. Returns the project's id.
def file_to_index(shoal, file)
  puts "1 health: #{shoal.stub(RAG::ServiceInfoService).get_health(RAG::GetHealthRequest.new).status}"
  project = shoal.stub(RAG::ProjectService).create_project(RAG::CreateProjectRequest.new(name: "Scenario"))
  puts "2 project: #{project.name}"
  info = RAG::DocumentInfo.new(project_id: project.project_id, filename: File.basename(file))
  parts = [RAG::ImportDocumentRequest.new(info: info), RAG::ImportDocumentRequest.new(data: File.binread(file))]
  version = shoal.stub(RAG::DocumentService).import_document(parts).document_version
  puts "3 uploaded: #{version.content_hash}"
  segments = shoal.stub(RAG::SegmentSetService)
  set = segments.create_segment_set(
    RAG::CreateSegmentSetRequest.new(version_id: version.version_id, loader_type: "markdown")
  )
  of_set = RAG::ReadSegmentItemsRequest.new(segment_set_id: set.segment_set_version_id)
  puts "4 segments: #{segments.read_segment_items(of_set).sum { |part| part.item_id.length }}"
  chunks = shoal.stub(RAG::ChunkSetService)
  cut = chunks.create_chunk_set(RAG::CreateChunkSetRequest.new(segment_set_id: set.segment_set_version_id))
  of_cut = RAG::ReadChunkItemsRequest.new(chunk_set_id: cut.chunk_set_version_id)
  puts "5 chunks: #{chunks.read_chunk_items(of_cut).sum { |part| part.item_id.length }}"
  puts "6 job: #{build(shoal, project, cut)}"
  project.project_id
end

# Builds an index and watches the job to its end; a watch lasts a minute at most and goes on with its token.
def build(shoal, project, cut)
  indexes = shoal.stub(RAG::IndexService)
  index = indexes.create_index(
    RAG::CreateIndexRequest.new(project_id: project.project_id, name: "Scenario", provider: "faiss")
  )
  building = indexes.create_index_build(
    RAG::CreateIndexBuildRequest.new(
      index_id: index.index_id, chunk_set_version_id: cut.chunk_set_version_id, execution_mode: "async"
    )
  )
  watch = RAG::WatchJobRequest.new(job_id: building.job_id)
  status = "queued"
  until %w[succeeded failed].include?(status)
    shoal.stub(RAG::JobService).watch_job(watch).each do |seen|
      watch.resume_token = seen.resume_token
      status = seen.job.status
    end
  end
  status
end

# Step 7: the pages of a stream.
def retrieve(shoal, project_id)
  request = RAG::RetrieveRequest.new(
    project_id: project_id, query: "keeper lamp", limit: 2, strategy: RAG::RetrievalStrategy.new(type: "bm25", k: 3)
  )
  pages = shoal.stub(RAG::RetrievalService).retrieve_stream(RAG::RetrieveStreamRequest.new(retrieve: request))
  pages.each { |page| puts "7 page: #{page.items.length} of #{page.total}" }
end

# Steps 8 and 9: vectors become groups. Returns the cluster's id.
def vectors_to_groups(shoal)
  name = "scenario_#{SecureRandom.hex(6)}"
  collection = shoal.stub(CLUSTERS::CollectionService)
                    .create_collection(CLUSTERS::CreateCollectionRequest.new(collection_name: name))
  documents = Array.new(60) do |i|
    values = Array.new(3) { |axis| i % 3 == axis ? 1.0 : 0.0 } + [i / 1000.0]
    vectors = { "embedding" => CLUSTERS::DenseVector.new(values: values) }
    CLUSTERS::UpsertDocument.new(document_id: "d#{i}", dense_vectors: vectors)
  end
  upsert = CLUSTERS::UpsertDocumentsRequest.new(
    namespace_id: "default", collection_id: collection.collection_id, documents: documents
  )
  puts "8 upserted: #{shoal.stub(CLUSTERS::CollectionDocumentService).upsert_documents(upsert).inserted}"
  how = CLUSTERS::VectorClustering.new(
    clustering_method: "kmeans", algorithm_params: Google::Protobuf::Struct.from_hash("n_clusters" => 3)
  )
  clusters = shoal.stub(CLUSTERS::ClusterService)
  cluster = clusters.create_cluster(
    CLUSTERS::CreateClusterRequest.new(
      cluster_name: name, collection_ids: [collection.collection_id], vector_config: how
    )
  )
  task = clusters.execute_cluster(CLUSTERS::ExecuteClusterRequest.new(cluster_id: cluster.cluster_id))
  while WORKING.include?(task.status)
    sleep 0.1
    task = shoal.stub(CLUSTERS::TaskService).get_task(CLUSTERS::GetTaskRequest.new(task_id: task.task_id))
  end
  request = CLUSTERS::GetClusterGroupsRequest.new(cluster_id: cluster.cluster_id)
  puts "9 groups: #{clusters.get_cluster_groups(request).groups.map(&:member_count).sort.join(' ')}"
  cluster.cluster_id
end

# Steps 10 and 11: members in columns, here as lists ("arrow" gives streams for red-arrow), and the run as a file.
def results(shoal, cluster_id)
  artifacts = shoal.stub(CLUSTERS::ArtifactService)
  wanted = CLUSTERS::StreamMembersRequest.new(cluster_id: cluster_id, format: "lists")
  point_ids = artifacts.stream_members(wanted).flat_map { |part| part.lists.point_id.to_a }
  puts "10 members: #{point_ids.length}"
  link = artifacts.get_export_link(CLUSTERS::GetExportLinkRequest.new(cluster_id: cluster_id))
  hash = Digest::SHA256.new
  download = CLUSTERS::DownloadFileRequest.new(token: link.url.split("/").last)
  artifacts.download_file(download).each { |part| hash << part.data }
  puts "11 parquet: hash is #{hash.hexdigest == link.sha256 ? 'right' : 'wrong'}"
end

# Step 12: a request that breaks a rule of the contract.
def error(shoal)
  shoal.stub(RAG::ProjectService).create_project(RAG::CreateProjectRequest.new)
rescue GRPC::InvalidArgument => e
  info, bad = [Google::Rpc::ErrorInfo, Google::Rpc::BadRequest].map do |type|
    e.to_rpc_status.details.find { |detail| detail.is(type) }.unpack(type)
  end
  bad.field_violations.each { |one| puts "12 error: #{info.reason} #{one.field}: #{one.description}" }
end

url, file = ARGV.empty? ? ["http://127.0.0.1:8000", "../scenario/notes.md"] : ARGV
shoal = Connection.new(url, key: ENV.fetch("SHOAL_API_KEY", nil))
retrieve(shoal, file_to_index(shoal, file))
results(shoal, vectors_to_groups(shoal))
error(shoal)
