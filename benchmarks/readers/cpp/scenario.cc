// Reads the member stream: scenario URL FORMAT prints rows and the seconds of the quickest of four.
#include <algorithm>
#include <iostream>

#include "shoal.h"
#include "shoal/clusters/v1/artifact_service.grpc.pb.h"

namespace clusters = shoal::clusters::v1;

int main(int, char** words) {
  const shoal::Connection connection(words[1], "");
  const auto stub = connection.stub<clusters::ArtifactService>();
  clusters::StreamMembersRequest request;
  request.set_cluster_id("c");
  request.set_format(words[2]);
  int rows = 0;
  double best = 1e9;
  for (int i = 0; i < 4; ++i) {
    const auto began = std::chrono::steady_clock::now();
    rows = 0;
    connection.each(*stub, &clusters::ArtifactService::Stub::StreamMembers, request,
                    [&](const auto& part) { rows += part.lists().point_id_size(); });
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  std::cout << rows << " " << best << std::endl;
}
