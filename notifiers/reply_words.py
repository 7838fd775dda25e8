"""The words that short answers are made of, in English, German, Arabic, French, Spanish and Portuguese.

Any of them is understood in any language, since people answer in the one at hand. A word that means something else
in another of these languages is left out ("pronto": ready in Portuguese, soon in Spanish). STOP's English words are
those that carriers obey: STOP, STOPALL, UNSUBSCRIBE, CANCEL, END, QUIT, REVOKE, OPTOUT; likewise START, UNSTOP
(Twilio, "Advanced Opt-Out").
"""

from device_models.purpose import Purpose

STOP = """
stop | stopall | unsubscribe | optout | opt out | no more | do not contact | don't contact | remove | take off the list
stopp | stoppen | abmelden | abbestellen | austragen | keine mehr | nicht mehr
توقف | توقفوا | أوقف | أوقفوا | إيقاف | ستوب | إلغاء الاشتراك | ألغ الاشتراك | كفى
arrêt | arrêter | arrêtez | stopper | désabonner | se désabonner | désinscrire | désinscription | plus de | plus d'
alto | parar | pare | paren | no más
baja | darme de baja | darme baja | quiero darme de baja | quiero darme baja | dar de baja | dar baja
sair | descadastrar | remover | chega de | não mais
"""
STOP_ALONE = """
cancel | end | quit | revoke | beenden | ende | widerruf | widerrufen | إلغاء | قف | annuler | cancelar | detener
"""
"""Stops as a whole message only: "cancel service" may well be about the appointment."""

START = """
start | unstop | resume | subscribe | optin | opt in
starten | anmelden | fortsetzen
ابدأ | ابدؤوا | بدء | استئناف | اشتراك | تفعيل
démarrer | commencer | reprendre
iniciar | empezar | comenzar | reanudar | alta
começar | retomar
"""
HELP = """
help | info | information | hilfe | مساعدة | المساعدة | ساعدوني | aide | ayuda | ajuda | informationen | informação
"""
DONE = """
done | finished | completed | it is done | it's done | all done | i did it | did it
erledigt | fertig | gemacht | ist erledigt | habe ich gemacht | wurde erledigt | schon erledigt
تم | تم ذلك | تمت | انتهى | انتهيت | أنجزت | تم الإنجاز
fait | c'est fait | terminé
hecho | listo | ya está | terminado
feito | está feito | já fiz | concluído
"""
LATER = """
later | not now | remind | remind later | not yet
später | spaeter | nicht jetzt | noch nicht | erinnern | später erinnern
لاحقا | لاحقًا | فيما بعد | في ما بعد | ليس الآن | بعدين | ذكرني لاحقا
plus tard | pas maintenant
más tarde | luego | después | ahora no
mais tarde | depois | agora não
"""
YES = "yes | y | yep | yeah | ja | نعم | أجل | oui | sí | si | sim"
NO = "no | n | nope | nein | لا | non | não"

EVERYTHING = "all | everything | alle | alles | الكل | جميع | كل | tout | toutes | tous | todo | todos | todas | tudo"

PURPOSES = {
    Purpose.OFFER: """offer | offers | promo | promos | promotions | ads | advertising | marketing | angebot | angebote
        werbung | عرض | عروض | العروض | الإعلانات | offre | offres | publicité | pub | oferta | ofertas | promociones
        promoções | publicidade | publicidad""",
    Purpose.NEWS: """news | newsletter | neuigkeiten | الأخبار | أخبار | النشرة | actualités
        nouvelles | noticias | novedades | notícias | novidades""",
    Purpose.MAINTENANCE: """maintenance | service | services | reminder | reminders | wartung | wartungen | erinnerungen
        صيانة | الصيانة | التذكير | entretien | rappels | mantenimiento | recordatorios | manutenção | lembretes""",
    Purpose.FAULT: """fault | faults | alert | alerts | alarms | störung | störungen | störungsmeldungen | fehler
        الأعطال | أعطال | العطل | التنبيهات | pannes | alertes | averías | fallos | alertas | avarias | falhas""",
    Purpose.SAFETY: "safety | sicherheit | sicherheitshinweise | السلامة | سلامة | sécurité | seguridad | segurança",
}

POLITE = """
please | pls | plz | thanks | thank you | thx | now | me | my | us | the | messages | message | texts | sms | emails
sending | texting | writing | these | your | and
bitte | danke | vielen dank | jetzt | mir | mich | und | nachrichten | meldungen | die | senden | schicken
من فضلك | رجاء | رجاءً | شكرا | شكرًا | الرسائل | رسائل | إرسال | و
s'il vous plaît | svp | merci | les | des | messages | envoyer
por favor | gracias | mensajes | los | las | enviar | obrigado | obrigada | mensagens | as | os | de | y
"""
"""What may stand around a keyword without changing it."""
