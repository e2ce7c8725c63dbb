"""What tells languages apart: their commonest words, and their scripts."""

from __future__ import annotations

COMMON_WORDS = {
    "en": "the of and to in is that it was for on are with as be this have from or by not but what all were we when "
    "your can said there an which their if will one about how up out them then she many some so these would other "
    "into has more her two like him see time could no make than first been its who now did you he his they at",
    "no": "og i det er på som en for med av til at ikke de har den et var fra om vi jeg han ble seg kan men så eller "
    "hun etter skal ved også blir ut dette nå noe denne hvis må mot hadde sin bare enn være over slik mellom når hva "
    "opp bli noen alle disse sa hvor mye ein eit ikkje eg dei vart frå kva òg vere nokon berre då mykje",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er "
    "hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis "
    "mehr durch man sein wurde kann gegen vom können schon wenn ich wir ihre unter diese",
    "sv": "och i att det som en på är av för med till den har de inte om ett han men var jag från vi så kan när år "
    "under också eller efter sig nu hade blir vid ska mot skulle där hon även ut bara andra mycket detta vara utan "
    "finns över mellan alla någon än blev få vad dessa hur då",
    "da": "og i at det er en til på som for med de af ikke den der har jeg et var han fra vi kan sig så men om eller "
    "hun efter skal ved også blev nu dette denne hvis må mod havde sin kun end være over mellem når hvad op blive "
    "nogle alle disse hvor meget bliver deres være kunne",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec ou son "
    "aux cette ont ses mais comme on tout nous sa été fait être ces leur elle même peut après sans entre ainsi vous "
    "était aussi dont où très deux c'est je",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si sin "
    "sobre este ya entre cuando todo esta ser son dos también fue había era muy años hasta desde está mi porque qué "
    "sólo han yo hay vez puede todos así nos ni parte tiene él uno donde bien",
    "nl": "de van het een en in is dat op te zijn voor met die niet aan er om ook als dan maar bij uit door naar over "
    "ze wordt nog hij werd heeft hebben deze of was wel kan worden tot onder meer geen had zich al ik zou je dit veel "
    "haar wij hun men daar toen waar omdat tussen",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu "
    "sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos ter "
    "seus quem nas me esse eles estão você tinha foram são",
    "it": "di che e la il un a per in una mi sono ho non ma lo ha le si ti i con cosa se io come da ci no questo qui "
    "hai sei del bene tu sì me più al mio perché lei gli della dei nel alla delle è anche dal essere nella stato loro "
    "dalla ai sua suo era o sul fra ed ad degli molto può quando",
    "fi": "ja on ei se että oli hän en mutta ovat kun niin myös mitä kuin tai ole sen joka jos nyt voi jo vain sitä "
    "minä ne tämä olen mukaan sekä ollut hänen olla jonka vielä siitä sitten joita jotka tässä kaikki mikä eivät "
    "minun sinä olisi jälkeen koska kanssa ennen joten kuitenkin noin",
    "ca": "de la el i que els en un per una amb les no es del és al més com però són seva seu també hi han va ser aquest "
    "aquesta dels quan fins sense entre molt tot després perquè això pot ja on nosaltres qual",
    "ro": "de și în la cu nu pe care din o un este să mai pentru au că se ce sunt fi prin lui după fost cum al ale sau "
    "dar când între fără astfel acest această acestea toate decât numai până poate atunci",
    "tr": "ve bir bu da de için ile olarak çok daha gibi olan kadar sonra ise ne ama o en var değil olduğu tarafından "  # noqa: RUF001
    "ya hem ki her mi şey bütün diğer göre ancak böyle veya içinde zaman nasıl",  # noqa: RUF001
    "hu": "a az és hogy nem is egy van ez volt meg csak de már vagy mint el még ki fel minden pedig majd lehet kell "
    "azt ezt ha sem amely aki olyan után szerint között nagyon amikor ezek azok",
    "id": "yang dan di dari untuk dengan pada ini itu dalam tidak adalah akan ke juga oleh atau sebagai karena lebih "
    "saat bisa telah ada tersebut para dapat seperti tetapi kami mereka sudah hanya antara setelah",
    "lt": "ir į kad iš su buvo yra ne tai kaip o jis bet dėl po už tik jo jau per prie ar kai nuo apie labai savo taip "
    "kuris kurie gali šis būti",
    "eu": "eta da ez bat du zen ere dira izan hau baina edo hori dute baino zuen egin den gero bere oso beste behar "
    "duen guztiak bezala",
    "ga": "agus an na a ar is i go le do sé ní bhí ach sin seo leis tá mar nó ag bhfuil raibh siad chuig níos gach "
    "bheith",
    "cs": "a se v na je že s z do o k ve to i si ale by jako za po pro tak jsou od byl jeho které který jen také nebo "
    "jsem jak být až při když podle která mezi není",
    "pl": "i w na z do nie się to że jest o jak po co tak za od ale przez jego by dla jako są oraz tym jej być które "
    "może tylko który także gdy już był więc przy jednak",
    "et": "ja on ei et ta see oli kui ka mis aga siis oma ning või seda pole nii veel nad kes olid kuid pärast välja "
    "tema selle mida",
    "hr": "i je u na se da za su od s koji o kao ne ili bi što iz po to ali te koja nije biti samo kako sve bio već "
    "može nakon između",
}  # fmt: skip
"""The commonest function words of languages in Latin script; those that several share are told apart by the rest."""

SCRIPTS = (
    ("CYRILLIC", "ru", (("іїєґ", "uk"), ("ђјљњћџ", "sr"))),
    ("GREEK", "el", ()),
    ("ARABIC", "ar", (("پچژگ", "fa"), ("ٹڈڑے", "ur"))),
    ("HEBREW", "he", ()),
    ("DEVANAGARI", "hi", ()),
    ("TAMIL", "ta", ()),
    ("ARMENIAN", "hy", ()),
    ("HANGUL", "ko", ()),
    ("HIRAGANA", "ja", ()),
    ("KATAKANA", "ja", ()),
    ("CJK", "zh", ()),
    ("THAI", "th", ()),
)
"""Of each script how Unicode's names of its letters begin, the language that is written in it most, and others by letters
that only they have."""
