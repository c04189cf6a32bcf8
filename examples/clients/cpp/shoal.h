// A connection to Shoal: what every call of the scenario needs, and nothing of the scenario itself.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>

namespace shoal {

inline std::string setting(const char* name, const char* otherwise) {
  const char* found = std::getenv(name);
  return found ? found : otherwise;
}

inline std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What a call failed with; `status()` has the details.
class CallFailed : public std::runtime_error {
 public:
  explicit CallFailed(grpc::Status status)
      : std::runtime_error("code " + std::to_string(status.error_code()) + ": " + status.error_message()),
        status_(std::move(status)) {}
  const grpc::Status& status() const { return status_; }

 private:
  grpc::Status status_;
};

inline void require(const grpc::Status& status) {
  if (!status.ok()) throw CallFailed(status);
}

/// What gRPC connects to, `host:port`; it would take 443 itself where `http://` says no port.
inline std::string target(const std::string& url, const std::string& usual_port) {
  const auto scheme = url.find("://");
  const auto rest = scheme == std::string::npos ? url : url.substr(scheme + 3);
  const auto address = rest.substr(0, rest.find('/'));
  const auto port = address.find(':', address.rfind(']') == std::string::npos ? 0 : address.rfind(']'));
  return port == std::string::npos ? address + ":" + usual_port : address;
}

/// One channel: TLS for https, retries of service_config.json (SHOAL_CONTRACT says where it is), keepalive.
class Connection {
 public:
  Connection(const std::string& url, std::string key) : key_(std::move(key)) {
    const bool is_secure = url.rfind("https:", 0) == 0;
    grpc::ChannelArguments options;
    options.SetServiceConfigJSON(contents(setting("SHOAL_CONTRACT", "../../../gen/clients") + "/service_config.json"));
    options.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
    options.SetMaxReceiveMessageSize(64 << 20);
    channel_ = grpc::CreateCustomChannel(
        target(url, is_secure ? "443" : "80"), is_secure ? grpc::SslCredentials({}) : grpc::InsecureChannelCredentials(), options);
  }

  template <typename Service>
  std::unique_ptr<typename Service::Stub> stub() const {
    return Service::NewStub(channel_);
  }

  /// What one call needs: the key, and a deadline that starts now.
  std::unique_ptr<grpc::ClientContext> context(std::chrono::seconds deadline = std::chrono::minutes(10)) const {
    auto made = std::make_unique<grpc::ClientContext>();
    made->set_deadline(std::chrono::system_clock::now() + deadline);
    if (!key_.empty()) made->AddMetadata("authorization", "Bearer " + key_);
    return made;
  }

  /// Calls a method of one answer: `call(*stub, &ProjectService::Stub::GetProject, request)`.
  template <typename Stub, typename Request, typename Answer>
  Answer call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Answer*),
              const Request& request) const {
    Answer answer;
    require((stub.*method)(context().get(), request, &answer));
    return answer;
  }

  /// Calls a method of many answers and hands each to `with`.
  template <typename Stub, typename Request, typename Part, typename With>
  void each(Stub& stub, std::unique_ptr<grpc::ClientReader<Part>> (Stub::*method)(grpc::ClientContext*, const Request&),
            const Request& request, With with) const {
    const auto context = this->context();
    const auto stream = (stub.*method)(context.get(), request);
    for (Part part; stream->Read(&part);) with(part);
    require(stream->Finish());
  }

 private:
  std::string key_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace shoal
