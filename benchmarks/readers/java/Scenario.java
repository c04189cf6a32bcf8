import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import java.net.URI;
import shoal.clusters.v1.ArtifactServiceGrpc;
import shoal.clusters.v1.StreamMembersRequest;

/** Reads the member stream: java Scenario URL FORMAT prints rows and the seconds of the quickest of four. */
public final class Scenario {
  public static void main(String[] words) {
    URI address = URI.create(words[0]);
    var channel =
        Grpc.newChannelBuilderForAddress(address.getHost(), address.getPort(), InsecureChannelCredentials.create())
            .maxInboundMessageSize(64 * 1024 * 1024)
            .build();
    var request = StreamMembersRequest.newBuilder().setClusterId("c").setFormat(words[1]).build();
    int rows = 0;
    double best = Double.POSITIVE_INFINITY;
    for (int i = 0; i < 4; i++) {
      long began = System.nanoTime();
      rows = 0;
      var parts = ArtifactServiceGrpc.newBlockingStub(channel).streamMembers(request);
      while (parts.hasNext()) rows += parts.next().getLists().getPointIdCount();
      best = Math.min(best, (System.nanoTime() - began) / 1e9);
    }
    System.out.println(rows + " " + best);
    channel.shutdownNow();
  }
}
