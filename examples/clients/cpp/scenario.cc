// The twelve steps in C++: scenario [URL] [FILE]
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <openssl/evp.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "shoal.h"
#include "shoal/clusters/v1/artifact_service.grpc.pb.h"
#include "shoal/clusters/v1/cluster_service.grpc.pb.h"
#include "shoal/clusters/v1/collection_document_service.grpc.pb.h"
#include "shoal/clusters/v1/collection_service.grpc.pb.h"
#include "shoal/clusters/v1/task_service.grpc.pb.h"
#include "shoal/rag/v1/chunk_set_service.grpc.pb.h"
#include "shoal/rag/v1/document_service.grpc.pb.h"
#include "shoal/rag/v1/index_service.grpc.pb.h"
#include "shoal/rag/v1/job_service.grpc.pb.h"
#include "shoal/rag/v1/project_service.grpc.pb.h"
#include "shoal/rag/v1/retrieval_service.grpc.pb.h"
#include "shoal/rag/v1/segment_set_service.grpc.pb.h"
#include "shoal/rag/v1/service_info_service.grpc.pb.h"

namespace clusters = shoal::clusters::v1;
namespace rag = shoal::rag::v1;
using shoal::Connection;

namespace {

rag::UploadDocumentResponse upload(const Connection& connection, const std::string& project_id,
                                   const std::filesystem::path& path) {
  const auto stub = connection.stub<rag::DocumentService>();
  const auto context = connection.context();
  rag::UploadDocumentResponse answer;
  const auto parts = stub->ImportDocument(context.get(), &answer);
  rag::ImportDocumentRequest part;
  part.mutable_info()->set_project_id(project_id);
  part.mutable_info()->set_filename(path.filename());
  parts->Write(part);
  part.set_data(shoal::contents(path));
  parts->Write(part);
  parts->WritesDone();
  shoal::require(parts->Finish());
  return answer;
}

/// Builds an index and watches the job to its end; a watch lasts a minute at most and goes on with its token.
std::string build(const Connection& connection, const std::string& project_id, const std::string& chunk_set_id) {
  const auto indexes = connection.stub<rag::IndexService>();
  rag::CreateIndexRequest wanted;
  wanted.set_project_id(project_id);
  wanted.set_name("Scenario");
  wanted.set_provider("faiss");
  rag::CreateIndexBuildRequest building;
  building.set_index_id(connection.call(*indexes, &rag::IndexService::Stub::CreateIndex, wanted).index_id());
  building.set_chunk_set_version_id(chunk_set_id);
  building.set_execution_mode("async");
  rag::WatchJobRequest watch;
  watch.set_job_id(connection.call(*indexes, &rag::IndexService::Stub::CreateIndexBuild, building).job_id());
  const auto jobs = connection.stub<rag::JobService>();
  std::string status = "queued";
  while (status != "succeeded" && status != "failed") {
    connection.each(*jobs, &rag::JobService::Stub::WatchJob, rag::WatchJobRequest(watch), [&](const auto& seen) {
      watch.set_resume_token(seen.resume_token());
      status = seen.job().status();
    });
  }
  return status;
}

std::string segments_of(const Connection& connection, const std::string& version_id) {
  const auto stub = connection.stub<rag::SegmentSetService>();
  rag::CreateSegmentSetRequest wanted;
  wanted.set_version_id(version_id);
  wanted.set_loader_type("markdown");
  const auto set = connection.call(*stub, &rag::SegmentSetService::Stub::CreateSegmentSet, wanted);
  rag::ReadSegmentItemsRequest items;
  items.set_segment_set_id(set.segment_set_version_id());
  int found = 0;
  connection.each(*stub, &rag::SegmentSetService::Stub::ReadSegmentItems, items,
                  [&](const auto& part) { found += part.item_id_size(); });
  std::cout << "4 segments: " << found << std::endl;
  return set.segment_set_version_id();
}

std::string chunks_of(const Connection& connection, const std::string& segment_set_id) {
  const auto stub = connection.stub<rag::ChunkSetService>();
  rag::CreateChunkSetRequest wanted;
  wanted.set_segment_set_id(segment_set_id);
  const auto set = connection.call(*stub, &rag::ChunkSetService::Stub::CreateChunkSet, wanted);
  rag::ReadChunkItemsRequest items;
  items.set_chunk_set_id(set.chunk_set_version_id());
  int found = 0;
  connection.each(*stub, &rag::ChunkSetService::Stub::ReadChunkItems, items,
                  [&](const auto& part) { found += part.item_id_size(); });
  std::cout << "5 chunks: " << found << std::endl;
  return set.chunk_set_version_id();
}

/// Steps 1 to 6: a file becomes an index. Returns the project's id.
std::string file_to_index(const Connection& connection, const std::string& file) {
  const auto service = connection.stub<rag::ServiceInfoService>();
  const auto health = connection.call(*service, &rag::ServiceInfoService::Stub::GetHealth, rag::GetHealthRequest());
  std::cout << "1 health: " << health.status() << std::endl;
  const auto projects = connection.stub<rag::ProjectService>();
  rag::CreateProjectRequest wanted;
  wanted.set_name("Scenario");
  const auto project = connection.call(*projects, &rag::ProjectService::Stub::CreateProject, wanted);
  std::cout << "2 project: " << project.name() << std::endl;
  const auto version = upload(connection, project.project_id(), file).document_version();
  std::cout << "3 uploaded: " << version.content_hash() << std::endl;
  const auto chunk_set_id = chunks_of(connection, segments_of(connection, version.version_id()));
  std::cout << "6 job: " << build(connection, project.project_id(), chunk_set_id) << std::endl;
  return project.project_id();
}

/// Step 7: the pages of a stream.
void retrieve(const Connection& connection, const std::string& project_id) {
  const auto stub = connection.stub<rag::RetrievalService>();
  rag::RetrieveStreamRequest request;
  request.mutable_retrieve()->set_project_id(project_id);
  request.mutable_retrieve()->set_query("keeper lamp");
  request.mutable_retrieve()->mutable_strategy()->set_type("bm25");
  request.mutable_retrieve()->mutable_strategy()->set_k(3);
  request.mutable_retrieve()->set_limit(2);
  connection.each(*stub, &rag::RetrievalService::Stub::RetrieveStream, request, [](const auto& page) {
    std::cout << "7 page: " << page.items_size() << " of " << page.total() << std::endl;
  });
}

/// Step 8: sixty vectors of three groups. Returns the collection's id.
std::string vectors(const Connection& connection, const std::string& name) {
  const auto collections = connection.stub<clusters::CollectionService>();
  clusters::CreateCollectionRequest wanted;
  wanted.set_collection_name(name);
  const auto collection = connection.call(*collections, &clusters::CollectionService::Stub::CreateCollection, wanted);
  clusters::UpsertDocumentsRequest upsert;
  upsert.set_namespace_id("default");
  upsert.set_collection_id(collection.collection_id());
  for (int i = 0; i < 60; ++i) {
    auto& document = *upsert.add_documents();
    document.set_document_id("d" + std::to_string(i));
    auto& values = *(*document.mutable_dense_vectors())["embedding"].mutable_values();
    for (int axis = 0; axis < 3; ++axis) values.Add(i % 3 == axis ? 1 : 0);
    values.Add(i / 1000.0f);
  }
  const auto documents = connection.stub<clusters::CollectionDocumentService>();
  const auto stored = connection.call(*documents, &clusters::CollectionDocumentService::Stub::UpsertDocuments, upsert);
  std::cout << "8 upserted: " << stored.inserted() << std::endl;
  return collection.collection_id();
}

void wait(const Connection& connection, clusters::Task task) {
  const std::set<std::string> working = {"PENDING", "QUEUED", "IN_PROGRESS", "PROCESSING"};
  const auto tasks = connection.stub<clusters::TaskService>();
  while (working.count(task.status())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    clusters::GetTaskRequest request;
    request.set_task_id(task.task_id());
    task = connection.call(*tasks, &clusters::TaskService::Stub::GetTask, request);
  }
}

/// Steps 8 and 9: vectors become groups. Returns the cluster's id.
std::string vectors_to_groups(const Connection& connection) {
  const std::string name = "scenario_" + std::to_string(std::random_device()());
  clusters::CreateClusterRequest wanted;
  wanted.set_cluster_name(name);
  wanted.add_collection_ids(vectors(connection, name));
  auto& how = *wanted.mutable_vector_config();
  how.set_clustering_method("kmeans");
  (*how.mutable_algorithm_params()->mutable_fields())["n_clusters"].set_number_value(3);
  const auto stub = connection.stub<clusters::ClusterService>();
  const auto cluster = connection.call(*stub, &clusters::ClusterService::Stub::CreateCluster, wanted);
  clusters::ExecuteClusterRequest execute;
  execute.set_cluster_id(cluster.cluster_id());
  wait(connection, connection.call(*stub, &clusters::ClusterService::Stub::ExecuteCluster, execute));
  clusters::GetClusterGroupsRequest request;
  request.set_cluster_id(cluster.cluster_id());
  const auto answer = connection.call(*stub, &clusters::ClusterService::Stub::GetClusterGroups, request);
  std::vector<int> sizes;
  for (const auto& group : answer.groups()) sizes.push_back(group.member_count());
  std::sort(sizes.begin(), sizes.end());
  std::cout << "9 groups:";
  for (const int size : sizes) std::cout << " " << size;
  std::cout << std::endl;
  return cluster.cluster_id();
}

/// The SHA-256 of what is put into it, in hex.
class Sha256 {
 public:
  Sha256() : state_(EVP_MD_CTX_new(), EVP_MD_CTX_free) { EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr); }
  void add(const std::string& data) { EVP_DigestUpdate(state_.get(), data.data(), data.size()); }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(state_.get(), digest, &size);
    std::string text;
    for (unsigned int i = 0; i < size; ++i) {
      text += "0123456789abcdef"[digest[i] >> 4];
      text += "0123456789abcdef"[digest[i] & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> state_;
};

/// Steps 10 and 11: members in columns, and the run as a file.
void results(const Connection& connection, const std::string& cluster_id) {
  const auto stub = connection.stub<clusters::ArtifactService>();
  clusters::StreamMembersRequest members;
  members.set_cluster_id(cluster_id);
  members.set_format("lists");  // "arrow" for the Arrow library
  clusters::MemberColumns columns;
  connection.each(*stub, &clusters::ArtifactService::Stub::StreamMembers, members,
                  [&](const auto& part) { columns.MergeFrom(part.lists()); });
  std::cout << "10 members: " << columns.point_id_size() << std::endl;
  clusters::GetExportLinkRequest export_request;
  export_request.set_cluster_id(cluster_id);
  const auto link = connection.call(*stub, &clusters::ArtifactService::Stub::GetExportLink, export_request);
  clusters::DownloadFileRequest file;
  file.set_token(link.url().substr(link.url().rfind('/') + 1));
  Sha256 hash;
  connection.each(*stub, &clusters::ArtifactService::Stub::DownloadFile, file,
                  [&](const auto& part) { hash.add(part.data()); });
  std::cout << "11 parquet: hash is " << (hash.hex() == link.sha256() ? "right" : "wrong") << std::endl;
}

/// Step 12: a request that breaks a rule of the contract.
void error(const Connection& connection) {
  const auto projects = connection.stub<rag::ProjectService>();
  try {
    connection.call(*projects, &rag::ProjectService::Stub::CreateProject, rag::CreateProjectRequest());
  } catch (const shoal::CallFailed& failed) {
    google::rpc::Status status;
    status.ParseFromString(failed.status().error_details());
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad;
    for (const auto& detail : status.details()) detail.UnpackTo(&info) || detail.UnpackTo(&bad);
    for (const auto& one : bad.field_violations())
      std::cout << "12 error: " << info.reason() << " " << one.field() << ": " << one.description() << std::endl;
  }
}

}  // namespace

int main(int count, char** words) {
  const Connection connection(count > 1 ? words[1] : "http://127.0.0.1:8000", shoal::setting("SHOAL_API_KEY", ""));
  try {
    retrieve(connection, file_to_index(connection, count > 2 ? words[2] : "../scenario/notes.md"));
    results(connection, vectors_to_groups(connection));
    error(connection);
  } catch (const std::exception& failed) {
    std::cerr << failed.what() << std::endl;
    return 1;
  }
}
