/* service_account.h - which key do the tests sign with as a service account of Google's?
 * Made for this and used nowhere; RS256 is deterministic, so its signature of a given text is known. */
#ifndef TESTS_LIB_SERVICE_ACCOUNT_H
#define TESTS_LIB_SERVICE_ACCOUNT_H

#define ACCOUNT_EMAIL "svc@example-project.iam.gserviceaccount.com"

/* The key's DER in base64, lines with `end` between them. */
#define ACCOUNT_KEY_LINES(end)                                                 \
	"MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDHFCHU26VI1mKu" end \
	"Gup2jukVU/DCQUDFRuD6/9OLAsWkHaUSLM0roFgD0qxI8285r24LcRU7IWetFPF8" end \
	"p4t3A2O4SGimeD13XHD/P8vqZpeF1CUsPATEOJukFBzOEGqRy/eAuZLYXE5eKZOz" end \
	"QYkNQ2+uucBKlVfDULs8O7lpeiORl+rWwQmNxxGnI81OZtPxVaQDEFiyV9VyQ7/1" end \
	"TjEFLONBuH4fwRUsO+K6EJ2gDUpBq5Bkcuet8w9oOMcD/K0e9zMOK2natfDizRw3" end \
	"o8MyXX27MQ/A5z9KM7IE1GBCIe51Ce+/r2JuhTmL3zDoEIuh6tOyLdsCjKlA+uJz" end \
	"LDdMelTLAgMBAAECggEAStwjLKu7p3wWd2nfqN1sgHykGCf5dzWD/F6e6bMNJv2O" end \
	"yRrXvAP7lNRvvK7tsD9rnhnT5fxVxBwQAtPt+b7ojK+NyquEUZINW65du7MAX266" end \
	"27tl/3NZ84Usn8BEkrakR1+A/KMZRQdVZx7JrpchNA7dZC5sZiHBhpDe0+792Q0g" end \
	"qR7o2Bpdb5e6CkDiFrWpabJrnG0UG6Q6jLhB9qqT0jP/nc7cjAkJJzhN8zXtOWr1" end \
	"Yk8xvIkSt7dW7CiCWqO3WVmGSHbcDSdYdqIg7h55WTNFDp8ReKJZISHOQJYxI+Hk" end \
	"6fb07XubsNqQJI4NNAJF5qbeXjiKH6Zyv/7aTXQzwQKBgQD6jP8XfQ5ooLVo58qn" end \
	"RGZ3qrREjrUtmT3ENLqp79XEIpLHLlnB0UkNv19QZI0xijRWXkPlRmWsXj2wCWAu" end \
	"k75FmrIFfvW2BPs37Q2tHeMLr+Lcxd4d7XBTDKG36QWP2rJud72v0VNNwaoJVRKn" end \
	"nKparMmXV2Ob5ON5xjEG9mUYeQKBgQDLaI1Hdt0VyYEdc5Xa5/C1mNmCeI9UHRTg" end \
	"sTbsMJe1Z/Kg8YClziesYW9OMXI2uUrHXq7HxyIw9gO/JNVvgs6zZGxj4XPPnxVF" end \
	"lbnzLIr9FFt45HjHXU4ipFDp5E3sOygrWoTipKsywWARL95AaPs6T1h+nn+ZzXBD" end \
	"Vj8E1BVOYwKBgQCIBxbTrMyu11nGe9nVmFg9bgtzETuiZwlWxf32F0UquE6SH0MR" end \
	"7EtKUHUyE3VoyQ0DOyiHiQHYZE3/jgePIh1ycrtmKnjCes/dnDEJpSlIhhSYIkEm" end \
	"ZGvQWxJN5BBl+qlXOmFc3DvrAlMLwAlhwLfohNjp9sMYt1sdGRIzIoDemQKBgGb/" end \
	"NPKn5IEgvKlOGuZypbc+g30GUQU1iJnSAk6MuHUaAoiuYQcUIZCu8a51aTD+mDfl" end \
	"4Li2Q8DpAbKrEwxY/xNlWWEmCv9pvVqz2ymgN2y4/yxy/BlvTJ5L99DHUxG4TrnN" end \
	"JxagbTPRKTTquS6COhwni1bqKRCXLy5ZoKVwQq2jAoGBAJWiMsJ8pR7VmXqDoqHz" end \
	"7UrLkdRk5o2ts7GLQtbKuu3GrEsoIH4/54gNcZ8r8T3v+LdFUOqLSavgqmcVMgjN" end \
	"h7H8SgIKL49uwcQshMwhGRYbcjucZHisyFhu5YYrcDbm7kiM0K3wpQvngG1a0qLx" end \
	"IdEM0giGtMe76E3boU5RoUx5" end

#define ACCOUNT_KEY ACCOUNT_KEY_LINES("")

/* The document as Google gives it, with another place where tokens are said to come from. */
#define ACCOUNT_DOCUMENT_OF(token_uri)                                                         \
	"{\n  \"type\": \"service_account\",\n  \"project_id\": \"example-project\",\n"        \
	"  \"private_key_id\": \"test-key-1\",\n  \"private_key\": \"-----BEGIN PRIVATE "      \
	"KEY-----\\n" ACCOUNT_KEY_LINES(                                                       \
		"\\n") "-----END PRIVATE KEY-----\\n\",\n  \"client_email\": \"" ACCOUNT_EMAIL \
		       "\",\n  \"token_uri\": \"" token_uri                                    \
		       "\",\n  \"universe_domain\": \"googleapis.com\"\n}\n"
#define ACCOUNT_DOCUMENT ACCOUNT_DOCUMENT_OF("https://oauth2.googleapis.com/token")

/* Its assertion at 1700000000 for that address and the scope cloud-platform. */
#define ACCOUNT_ASSERTION                                                                          \
	"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3Qta2V5LTEifQ."                          \
	"eyJpc3MiOiJzdmNAZXhhbXBsZS1w"                                                             \
	"cm9qZWN0LmlhbS5nc2VydmljZWFjY291bnQuY29tIiwic2NvcGUiOiJodHRwczovL3d3dy5nb29nbGVhcGlzLmNv" \
	"bS9h"                                                                                     \
	"dXRoL2Nsb3VkLXBsYXRmb3JtIiwiYXVkIjoiaHR0cHM6Ly9vYXV0aDIuZ29vZ2xlYXBpcy5jb20vdG9rZW4iLCJp" \
	"YXQi"                                                                                     \
	"OjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0."                                                 \
	"dhIWUcnkUIrJhNzrgt-ZBCxW9i924ffLOfrCvbII8bIUUum_"                                         \
	"fcWQcp9mYzkWxPIdvIJrf4OqtEHTdAWYGHZx1X3CTjDs"                                             \
	"gYL4zPdmJjiBXrEuOA5psdvGLDGAtGugGSQTFlfnmvIQ07sXHDvJV83iBq5ANbMe8hMf_C0TE9pqwlpTNh4_"     \
	"eh0Cuyjf"                                                                                 \
	"oJaVT8TLD-t3ta77WFO6ACrr2UL5QRt6_msYvLcD9mBK11nJHsDCWvae5awcMTLcMnE9pCBKOmtvBJADAX4-"     \
	"gtT1Zam0"                                                                                 \
	"kP8qLLhAVo2U1uUS7amV9hqJsFL9xf7RP8c1BDMciJsGlK4_ocOLoS6qnNTA11XXzw"

#endif
