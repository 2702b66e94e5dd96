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

  /** As an application does, it keeps a client for as long as its options are the same. */
  private static final Map<JsonNode, Client> CLIENTS = new HashMap<>();

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
      answer.put("result", call(given, client(given.get("options"))));
    } catch (Exception error) {
      var cause = error.getCause();
      answer.put("error", error.getClass().getSimpleName());
      answer.put("message", error.getMessage());
      answer.put("cause", cause == null ? null : cause.getMessage());
    }
    return answer;
  }

  private static Client client(JsonNode options) throws Exception {
    if (!CLIENTS.containsKey(options)) {
      CLIENTS.put(options, open(options));
    }
    return CLIENTS.get(options);
  }

  private static Client open(JsonNode options) throws Exception {
    return new Client.Builder(
            text(options, "client_id"),
            text(options, "client_secret"),
            text(options, "proxy_host"),
            options.get("proxy_port").asInt(),
            text(options, "api_host"),
            text(options, "redirect_uri"))
        .setCACerts(JSON.convertValue(options.get("pins"), String[].class))
        .setUseDuoCodeAttribute(options.get("use_duo_code_attribute").asBoolean())
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
    var options = given.get("options");
    var validator =
        new DuoIdTokenValidator(
            text(options, "client_secret"),
            username,
            text(options, "client_id"),
            text(options, "api_host"),
            text(given, "nonce"));
    return client.exchangeAuthorizationCodeFor2FAResult(code, validator);
  }

  private static String text(JsonNode of, String name) {
    return of.hasNonNull(name) ? of.get(name).asText() : null;
  }
}
