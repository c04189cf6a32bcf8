// Clients of every service, made at run time from the contract's descriptor set: const { rag } = connect(url, { key }).
// Messages are plain objects with the contract's field names; a map is a list of { key, value }, since proto-loader makes
// maps of it only when it reads .proto files.
import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";

const CONTRACT = process.env.SHOAL_CONTRACT ?? "../../../gen/clients"; // shoal.binpb and service_config.json
const definition = loadFileDescriptorSetFromBuffer(readFileSync(`${CONTRACT}/shoal.binpb`), {
  keepCase: true,
  longs: Number,
  defaults: true,
  oneofs: true,
});
const { shoal } = grpc.loadPackageDefinition(definition);

/** Makes a client of each service of both families; `unary` calls one method and gives a promise. */
export function connect(url, { key, deadlineSeconds = 600 } = {}) {
  const { protocol, hostname, port } = new URL(url);
  const isSafe = protocol === "https:";
  const target = `${hostname}:${port || (isSafe ? 443 : 80)}`; // grpc-js takes 443 where no port is said
  const credentials = isSafe ? grpc.credentials.createSsl() : grpc.credentials.createInsecure();
  const options = {
    "grpc.service_config": readFileSync(`${CONTRACT}/service_config.json`, "utf8"),
    "grpc.keepalive_time_ms": 30_000,
    "grpc.max_receive_message_length": 64 * 1024 * 1024,
  };
  const metadata = new grpc.Metadata();
  if (key) metadata.set("authorization", `Bearer ${key}`);
  const family = (services) => (name) => {
    const client = new services[`${name}Service`](target, credentials, options);
    return {
      unary: (method, request) =>
        new Promise((resolve, reject) => {
          const deadline = Date.now() + deadlineSeconds * 1000;
          client[method](request, metadata, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
        }),
      stream: (method, request) => client[method](request, metadata),
      upload: (method, requests) =>
        new Promise((resolve, reject) => {
          const call = client[method](metadata, (error, answer) => (error ? reject(error) : resolve(answer)));
          for (const request of requests) call.write(request);
          call.end();
        }),
    };
  };
  return { rag: family(shoal.rag.v1), clusters: family(shoal.clusters.v1) };
}

/** Returns the details of a failed call by their types, such as `google.rpc.ErrorInfo`. */
export function detailsOf(error) {
  const [packed] = error.metadata.get("grpc-status-details-bin");
  const { details } = definition["google.rpc.Status"].deserialize(packed);
  return Object.fromEntries(
    details.map((any) => {
      const type = any.type_url.split("/").pop();
      return [type, definition[type].deserialize(any.value)];
    }),
  );
}
