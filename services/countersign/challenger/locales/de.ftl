### The pages in German; polite form (Sie).

-sign-in-again = Gehen Sie zurück zur Anwendung und melden Sie sich erneut an.

unknown =
    .title = Dieser Link ist nicht bekannt
    .text = Er ist vielleicht unvollständig oder zu alt. { -sign-in-again }
bad-request =
    .title = Diese Adresse kann nicht verwendet werden
    .text = Sie gehört zu keiner Anmeldung, oder sie wurde unterwegs verändert. { -sign-in-again }
wrong-browser =
    .title = Diese Anmeldung gehört zu einem anderen Browser
    .text =
        Sie muss in dem Browser und in dem Fenster abgeschlossen werden, in dem sie begonnen wurde. Wenn Sie
        sie nicht selbst begonnen haben, schließen Sie diese Seite: Vielleicht wollte jemand, dass Sie eine
        fremde Anmeldung bestätigen.
elsewhere =
    .title = Diese Anmeldung wurde anderswo bestätigt
    .text =
        Sie geht in dem Browser weiter, in dem sie bestätigt wurde. Wenn Sie das nicht waren, informieren
        Sie Ihre IT-Abteilung.
moving-on =
    .title = Einen Moment
    .text = Ihre Antwort wird geprüft. Diese Seite aktualisiert sich von selbst.
again =
    .title = Das hat nicht geklappt
    .text =
        Ihre Antwort konnte nicht rechtzeitig geprüft werden. Sie können sich eine neue Anfrage von Duo
        schicken lassen.
finished =
    .title = Diese Anmeldung ist abgeschlossen
    .text = Hier ist nichts weiter zu tun.
denied =
    .title = Die Anmeldung wurde abgelehnt
    .text =
        Sie wurden nicht angemeldet. Wenn Sie versehentlich abgelehnt haben, melden Sie sich erneut an. Wenn
        die Anmeldung nicht von Ihnen kam, kennt vielleicht jemand Ihr Passwort: Ändern Sie es, und informieren
        Sie Ihre IT-Abteilung.
expired =
    .title = Die Zeit ist abgelaufen
    .text = Die Anmeldung hat zu lange gedauert. { -sign-in-again }
no-way-back =
    .title = Es gibt keinen Weg zurück
    .text =
        Sie haben geantwortet, aber die Adresse der Anwendung ist nicht mehr zugelassen. Sie wurden daher
        nicht angemeldet. Informieren Sie Ihre IT-Abteilung.
failed =
    .title = Die Anmeldung konnte nicht geprüft werden
    .text =
        Zwischen diesem Dienst und Duo stimmt etwas nicht, deshalb wurden Sie nicht angemeldet. Wenn es noch
        einmal vorkommt, informieren Sie Ihre IT-Abteilung.
duo-unavailable =
    .title = Duo ist nicht erreichbar
    .text = Sie wurden nicht angemeldet. Melden Sie sich in einer Minute erneut an.
duo-away =
    .title = Duo ist im Moment nicht erreichbar
    .text = Es ist nichts verloren: Versuchen Sie es in einer Minute noch einmal.
too-many-prompts =
    .title = Zu viele Anfragen
    .text =
        So viele Anfragen in kurzer Zeit deuten darauf hin, dass jemand anderes dahintersteckt, deshalb gibt
        es vorerst keine weiteren. Beantworten Sie eine, die noch offen ist, oder warten Sie einige Minuten.
not-now =
    .title = Im Moment nicht möglich
    .text = Es ist nichts verloren: Laden Sie diese Seite in einer Minute neu.
no-such-page =
    .title = Diese Seite gibt es nicht
    .text = { -sign-in-again }
wrong-method =
    .title = Das geht hier nicht
    .text = { -sign-in-again }
broken =
    .title = Hier ist etwas schiefgegangen
    .text =
        Sie wurden nicht angemeldet. Der Fehler wurde festgehalten; versuchen Sie es in einer Minute noch
        einmal.

## What leads on from a page.

link-again = Noch einmal versuchen
link-back = Zurück zur Anwendung
link-continue = Weiter
