// Connects to Shoal over gRPC: `const shoal = connect("http://127.0.0.1:8000")`.
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

// Makes a client of every service over one transport.
export function clients(transport) {
  return {
  };
}

// Makes a client of every service at one address.
export function connect(baseUrl, options = {}) {
  return clients(createGrpcTransport({ ...options, baseUrl }));
}
