# frozen_string_literal: true

# Reads the member stream: ruby -I gen scenario.rb URL FORMAT prints rows and the seconds of the quickest of four.
require "uri"
require "shoal/clusters/v1/artifact_service_services_pb"

address = URI(ARGV[0])
stub = Shoal::Clusters::V1::ArtifactService::Stub.new(
  "#{address.host}:#{address.port}", :this_channel_is_insecure,
  channel_args: { "grpc.max_receive_message_length" => 64 * 1024 * 1024 }
)
request = Shoal::Clusters::V1::StreamMembersRequest.new(cluster_id: "c", format: ARGV[1])
rows = 0
best = Array.new(4) do
  began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  rows = stub.stream_members(request).sum { |part| part.lists.point_id.length }
  Process.clock_gettime(Process::CLOCK_MONOTONIC) - began
end.min
puts "#{rows} #{best}"
