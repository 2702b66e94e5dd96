// Duo's SDK for Java, called as its README shows: a command a line comes in, an answer a line goes out.
//
// The SDK has no option for another authority: it trusts those that Java trusts, so the JVM is started with
// -Djavax.net.ssl.trustStore; and of those only Duo's, which it pins, so setCACerts is given our pin.
// It can't say a port either (java.net.URL makes an IPv6 address of `localhost:8444`), so it calls `localhost`,
// through a proxy, for which it has an option.

import com.duosecurity.Client;
import com.duosecurity.DuoIdTokenValidator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

public final class Harness {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Harness() {}

  public static void main(String[] arguments) throws IOException {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (var line = in.readLine(); line != null; line = in.readLine()) {
      out.println(JSON.writeValueAsString(answer(JSON.readTree(line))));
    }
  }

  private static Map<String, Object> answer(JsonNode given) {
    var answer = new HashMap<String, Object>();
    try {
      answer.put("result", call(given, open(given.get("client"))));
    } catch (Exception error) {
      var cause = error.getCause();
      answer.put("error", error.getClass().getSimpleName());
      answer.put("message", error.getMessage());
      answer.put("cause", cause == null ? null : cause.getMessage());
    }
    return answer;
  }

  private static Client open(JsonNode client) throws Exception {
    return new Client.Builder(
            text(client, "client_id"),
            text(client, "client_secret"),
            text(client, "proxy_host"),
            client.get("proxy_port").asInt(),
            text(client, "api_host"),
            text(client, "redirect_uri"))
        .setCACerts(JSON.convertValue(client.get("pins"), String[].class))
        .build();
  }

  private static Object call(JsonNode given, Client client) throws Exception {
    return switch (given.get("call").asText()) {
      case "health_check" -> client.healthCheck();
      case "generate_state" -> client.generateState();
      case "create_auth_url" ->
          client.createAuthUrl(text(given, "username"), text(given, "state"));
      case "exchange" -> exchange(given, client);
      default -> throw new IllegalArgumentException(given.toString());
    };
  }

  private static Object exchange(JsonNode given, Client client) throws Exception {
    var code = text(given, "code");
    var username = text(given, "username");
    if (!given.hasNonNull("nonce")) {
      return client.exchangeAuthorizationCodeFor2FAResult(code, username);
    }
    var of = given.get("client");
    var validator =
        new DuoIdTokenValidator(
            text(of, "client_secret"),
            username,
            text(of, "client_id"),
            text(of, "api_host"),
            text(given, "nonce"));
    return client.exchangeAuthorizationCodeFor2FAResult(code, validator);
  }

  private static String text(JsonNode of, String name) {
    return of.hasNonNull(name) ? of.get(name).asText() : null;
  }
}
