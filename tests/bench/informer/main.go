// SPDX-License-Identifier: Apache-2.0

// The yardstick: what a daemon in Go holds and does. It runs client-go's shared informers for one of two watch plans, says
// when they are synced, and then a line for each pod that changed: its name, its resource version, and the time.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const served = "!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name"

// What MetalLB's speaker needs: all services, all EndpointSlices, all nodes.
func metallb(client kubernetes.Interface) []cache.SharedIndexInformer {
	all := informers.NewSharedInformerFactory(client, 0)
	return []cache.SharedIndexInformer{all.Core().V1().Services().Informer(),
		all.Discovery().V1beta1().EndpointSlices().Informer(), all.Core().V1().Nodes().Informer()}
}

// What cosmolet watches: services that a proxy serves, pods of this node, this node.
func cosmolet(client kubernetes.Interface, node string) []cache.SharedIndexInformer {
	by := func(labels, fields string) informers.SharedInformerFactory {
		return informers.NewSharedInformerFactoryWithOptions(client, 0,
			informers.WithTweakListOptions(func(options *metav1.ListOptions) {
				options.LabelSelector, options.FieldSelector = labels, fields
			}))
	}
	return []cache.SharedIndexInformer{by(served, "").Core().V1().Services().Informer(),
		by("", "spec.nodeName="+node).Core().V1().Pods().Informer(),
		by("", "metadata.name="+node).Core().V1().Nodes().Informer()}
}

func say(object interface{}) {
	if pod, ok := object.(*corev1.Pod); ok {
		fmt.Printf("pod %s %s %d\n", pod.Name, pod.ResourceVersion, time.Now().UnixNano())
	}
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	node := flag.String("node", "", "the name of this node")
	plan := flag.String("plan", "cosmolet", "cosmolet or metallb")
	protobuf := flag.Bool("protobuf", true, "as the controllers of Kubernetes itself; else JSON")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
	if *protobuf {
		config.ContentType = "application/vnd.kubernetes.protobuf"
		config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	}
	client := kubernetes.NewForConfigOrDie(config)
	all := cosmolet(client, *node)
	if *plan == "metallb" {
		all = metallb(client)
	}
	stop, synced := make(chan struct{}), []cache.InformerSynced{}
	for _, informer := range all {
		informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			UpdateFunc: func(_, object interface{}) { say(object) }})
		synced = append(synced, informer.HasSynced)
		go informer.Run(stop)
	}
	for ready := false; !ready; time.Sleep(time.Millisecond) {
		ready = true
		for _, is := range synced {
			ready = ready && is()
		}
	}
	n := 0
	for _, informer := range all {
		n += len(informer.GetStore().ListKeys())
	}
	fmt.Printf("synced %d\n", n)
	<-stop
}
