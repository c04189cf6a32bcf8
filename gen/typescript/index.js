// Connects to Shoal over gRPC: `const shoal = connect("http://127.0.0.1:8000")`.
import { createGrpcTransport } from "@connectrpc/connect-node";
import { clients } from "./clients.js";

export { clients };

// Makes a client of every service at one address.
export function connect(baseUrl, options = {}) {
  return clients(createGrpcTransport({ ...options, baseUrl }));
}
