// A shop without its web pages: it reads what browsers do, a line each, and prints what it answers them.
// Law: the login's event id comes from the browser's own session; from the URL comes the code alone.
//
//   login BROWSER USER     the user has passed the first factor in this browser
//   return BROWSER CODE    the browser is back at the return URL, with ?mfa_code=CODE

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import static java.nio.charset.StandardCharsets.UTF_8;

public final class Sample {

    private record Session(String eventId, String userId) {}

    private static final ObjectMapper JSON =
            new ObjectMapper().setDefaultPropertyInclusion(JsonInclude.Include.NON_NULL);
    private static final Map<String, String> ENV = System.getenv();

    private final CountersignClient client;
    private final Map<String, Session> sessions = new HashMap<>(); // browser → the login that it is in the middle of

    private Sample(CountersignClient client) {
        this.client = client;
    }

    public static void main(String[] arguments) throws Exception {
        try (var client = new CountersignClient(
                Map.of("bootstrap.servers", ENV.getOrDefault("KAFKA", "localhost:9092")),
                "https://shop.example.com",
                "acme",
                ENV.getOrDefault("LOGIN_EVENTS", "login-events"),
                ENV.getOrDefault("MFA_RESULTS", "mfa-results"),
                Duration.ofMillis(Long.parseLong(ENV.getOrDefault("PATIENCE_MS", "5000"))))) {
            new Sample(client).serve();
        } catch (CountersignClient.NoAnswerException | IllegalStateException e) {
            System.err.println("not allowed: " + e.getMessage());
            System.exit(1);
        }
    }

    private void serve() throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        var out = new PrintStream(System.out, true, UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            var answer = words[0].equals("login") ? login(words[1], words[2]) : comeBack(words[1], words[2]);
            ObjectNode shown = JSON.valueToTree(answer);
            out.println(shown.without(List.of("eventId", "subject")));
        }
    }

    private CountersignClient.Answer login(String browser, String userId) throws Exception {
        JsonNode login = JSON.valueToTree(Map.of(
                "user", Map.of("user_id", userId),
                "client", Map.of("client_id", "shop"),
                "login", Map.of("browser_id", browser, "return_url", "https://shop.example.com/return")));
        var decision = client.submit(login);
        if (decision.challengeUrl() != null) {
            sessions.put(browser, new Session(decision.eventId(), userId));
        }
        return decision;
    }

    private CountersignClient.Answer comeBack(String browser, String code) throws Exception {
        Session session = sessions.get(browser);
        if (session == null) {
            throw new IllegalStateException("this browser has no login under way");
        }
        var outcome = client.complete(session.eventId(), code, session.userId());
        sessions.remove(browser);
        return outcome;
    }
}
