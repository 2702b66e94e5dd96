// Asks Countersign over Kafka whether a login needs MFA, and settles it when the browser is back.
// Law: a login is allowed only by an answer that says so; silence, an outage and whatever is unknown are none.

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

import static java.nio.charset.StandardCharsets.UTF_8;

/** One for a process serves all of its logins, from any number of threads. */
public final class CountersignClient implements AutoCloseable {

    public record Answer(
            String eventId, String subject, String type, boolean allowed, String reason, String assurance,
            String challengeUrl, String provider) {}

    /** No answer, so no allow. */
    @SuppressWarnings("serial") // never serialized
    public static final class NoAnswerException extends Exception {
        NoAnswerException(String message, Throwable cause) {
            super(message, cause);
        }
    }

    private record Type(String verdict, Set<String> assurances, String needs, boolean outcome) {}

    private record Call(String subject, boolean outcomeOnly, CompletableFuture<Answer> answer) {}

    // What each type of result says. A type that isn't here, or a result that contradicts its type, is no answer.
    private static final Map<String, Type> TYPES = Map.of(
            "countersign.login.allowed.v1", new Type("allow", Set.of("none", "remembered"), null, false),
            "countersign.login.denied.v1", new Type("deny", Set.of("none"), null, false),
            "countersign.login.challenged.v1", new Type("pending", Set.of("none"), "challenge_url", false),
            "countersign.login.delegated.v1", new Type("pending", Set.of("none"), "provider", false),
            "countersign.challenge.passed.v1", new Type("allow", Set.of("mfa", "duo_bypass"), null, true),
            "countersign.challenge.failed_open.v1", new Type("allow", Set.of("fail_open"), null, true),
            "countersign.challenge.denied.v1", new Type("deny", Set.of("none"), null, true),
            "countersign.challenge.expired.v1", new Type("deny", Set.of("none"), null, true),
            "countersign.challenge.failed.v1", new Type("deny", Set.of("none"), null, true));

    private static final int REMEMBERED_DENIALS = 10_000;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final String source;
    private final String tenant;
    private final String loginEvents;
    private final String mfaResults;
    private final Duration patience;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final KafkaProducer<byte[], byte[]> producer;
    private final Thread reader = new Thread(this::read, "countersign-results");
    private final Map<String, List<Call>> waiting = new HashMap<>(); // guarded by this, by event id
    private final Map<String, Answer> denials = new LinkedHashMap<>() { // guarded by this, oldest first
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Answer> eldest) {
            return size() > REMEMBERED_DENIALS;
        }
    };
    private volatile boolean closed;

    /**
     * Connects; every result that is published from here on is seen.
     *
     * @param connection Kafka's own properties: bootstrap.servers, TLS, login
     * @param source names the relying party, as a URI; the same in all of its processes
     */
    public CountersignClient(
            Map<String, Object> connection, String source, String tenant,
            String loginEvents, String mfaResults, Duration patience) {
        this.source = source;
        this.tenant = tenant;
        this.loginEvents = loginEvents;
        this.mfaResults = mfaResults;
        this.patience = patience;

        // No group: every process needs every result, and keeps no position.
        Map<String, Object> reading = new HashMap<>(connection);
        reading.put("enable.auto.commit", false);
        reading.put("auto.offset.reset", "latest");
        reading.put("metadata.max.age.ms", 10_000); // how soon a partition that is added is noticed
        consumer = new KafkaConsumer<>(reading, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        List<TopicPartition> places = places();
        consumer.assign(places);
        consumer.endOffsets(places).forEach(consumer::seek); // known now, before anything is published

        Map<String, Object> writing = new HashMap<>(connection);
        writing.put("acks", "all");
        writing.put("enable.idempotence", true);
        writing.put("max.block.ms", patience.toMillis());
        producer = new KafkaProducer<>(writing, new ByteArraySerializer(), new ByteArraySerializer());
        reader.start();
    }

    @Override
    public void close() {
        closed = true;
        consumer.wakeup();
        try {
            reader.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        producer.close(Duration.ofSeconds(5));
        synchronized (this) {
            Throwable gone = new IllegalStateException("the client was closed");
            waiting.values().forEach(calls -> calls.forEach(call -> call.answer().completeExceptionally(gone)));
        }
    }

    /** Asks what a login owes. */
    public Answer submit(JsonNode login) throws NoAnswerException {
        return submit(UUID.randomUUID().toString(), Instant.now(), login);
    }

    /** The same event id, time and data again are the same login, and get the same answer. */
    public Answer submit(String eventId, Instant time, JsonNode login) throws NoAnswerException {
        String subject = login.at("/user/user_id").textValue();
        Answer answer = ask(eventId, subject, false, "countersign.login.attempted.v1", eventId, time, login);
        Answer denial = denial(eventId, subject);
        return denial != null ? denial : answer; // a pending never overrides a denial
    }

    /** Settles a challenge: event id and user are from this browser's own session, the code from the URL. */
    public Answer complete(String eventId, String code, String userId) throws NoAnswerException {
        JsonNode data = JSON.createObjectNode()
                .put("event_id", eventId)
                .put("code", code)
                .set("user", JSON.createObjectNode().put("user_id", userId));
        String id = UUID.randomUUID().toString();
        return ask(eventId, userId, true, "countersign.login.returned.v1", id, Instant.now(), data);
    }

    private Answer ask(
            String loginId, String subject, boolean outcomeOnly, String type, String id, Instant time, JsonNode data)
            throws NoAnswerException {
        Answer denial = denial(loginId, subject);
        if (denial != null) {
            return denial;
        }
        Call call = new Call(subject, outcomeOnly, new CompletableFuture<>());
        synchronized (this) {
            waiting.computeIfAbsent(loginId, each -> new ArrayList<>()).add(call);
        }
        try {
            producer.send(record(type, id, time, subject, data), (sent, error) -> {
                if (error != null) {
                    call.answer().completeExceptionally(error);
                }
            });
            return call.answer().get(patience.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new NoAnswerException("no answer within " + patience.toMillis() + " ms", e);
        } catch (ExecutionException | KafkaException | JsonProcessingException e) {
            throw new NoAnswerException("no answer: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new NoAnswerException("interrupted while waiting for an answer", e);
        } finally {
            synchronized (this) {
                waiting.computeIfPresent(loginId, (each, calls) -> {
                    calls.remove(call);
                    return calls.isEmpty() ? null : calls;
                });
            }
        }
    }

    private ProducerRecord<byte[], byte[]> record(
            String type, String id, Instant time, String userId, JsonNode data) throws JsonProcessingException {
        byte[] key = (tenant + ":" + userId).getBytes(UTF_8); // partitioned by murmur2, Kafka's default
        var record = new ProducerRecord<>(loginEvents, key, JSON.writeValueAsBytes(data));
        Map.of(
                "content-type", "application/json",
                "ce_specversion", "1.0",
                "ce_type", type,
                "ce_source", source,
                "ce_id", id,
                "ce_time", time.truncatedTo(ChronoUnit.MILLIS).toString(),
                "ce_tenantid", tenant)
                .forEach((name, text) -> record.headers().add(name, text.getBytes(UTF_8)));
        return record;
    }

    private List<TopicPartition> places() {
        return consumer.partitionsFor(mfaResults).stream()
                .map(each -> new TopicPartition(mfaResults, each.partition()))
                .toList();
    }

    private void read() {
        while (!closed) {
            try {
                consumer.poll(Duration.ofSeconds(1)).forEach(this::take);
                List<TopicPartition> added = new ArrayList<>(places());
                added.removeAll(consumer.assignment());
                if (!added.isEmpty()) {
                    consumer.assign(places()); // keeps the positions of those that it had
                    consumer.seekToBeginning(added);
                }
            } catch (WakeupException e) {
                // closed
            } catch (KafkaException e) {
                System.err.println("results can't be read at the moment: " + e.getClass().getSimpleName());
                LockSupport.parkNanos(Duration.ofSeconds(1).toNanos()); // calls end by their deadline
            }
        }
        consumer.close();
    }

    private synchronized void take(ConsumerRecord<byte[], byte[]> record) {
        Headers headers = record.headers();
        if (!tenant.equals(text(headers, "ce_tenantid")) || !source.equals(text(headers, "ce_causationsource"))) {
            return; // others' results
        }
        String eventId = text(headers, "ce_causationid");
        String typeName = text(headers, "ce_type");
        Type type = typeName == null ? null : TYPES.get(typeName);
        List<Call> calls = waiting.getOrDefault(eventId, List.of());
        boolean denies = type != null && type.outcome() && type.verdict().equals("deny")
                && !denials.containsKey(eventId);
        if (calls.isEmpty() && !denies) {
            return; // repeats
        }
        Answer answer = read(eventId, typeName, type, record.value());
        if (answer == null) {
            System.err.println("a result was refused: event_id=" + JSON.valueToTree(eventId)); // ids only
            return;
        }
        if (denies) { // an allow is never remembered: it belongs to one browser's return with its code
            denials.put(eventId, answer);
        }
        for (Call call : calls) {
            if (call.subject().equals(answer.subject()) && (type.outcome() || !call.outcomeOnly())) {
                call.answer().complete(answer);
            }
        }
    }

    private Answer read(String eventId, String typeName, Type type, byte[] value) {
        if (type == null || value == null) {
            return null;
        }
        JsonNode body;
        try {
            body = JSON.readTree(value);
        } catch (IOException e) {
            return null;
        }
        boolean understood = tenant.equals(body.path("tenant").textValue())
                && eventId != null
                && eventId.equals(body.path("event_id").textValue())
                && type.verdict().equals(body.path("verdict").textValue())
                && type.assurances().contains(body.path("assurance").asText())
                && (type.needs() == null || body.path(type.needs()).isTextual());
        return !understood ? null : new Answer(
                eventId,
                body.path("subject").textValue(),
                typeName.substring("countersign.".length(), typeName.length() - ".v1".length()),
                type.verdict().equals("allow"),
                body.path("reason").textValue(),
                body.path("assurance").textValue(),
                body.path("challenge_url").textValue(),
                body.path("provider").textValue());
    }

    private synchronized Answer denial(String eventId, String subject) {
        Answer denial = denials.get(eventId);
        return denial != null && subject.equals(denial.subject()) ? denial : null;
    }

    private static String text(Headers headers, String name) {
        Header header = headers.lastHeader(name);
        return header == null || header.value() == null ? null : new String(header.value(), UTF_8);
    }
}
